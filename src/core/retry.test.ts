import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from './errors.ts';
import { withRetries } from './retry.ts';

describe('withRetries', () => {
  const fault = new HoldfastError('unavailable', 'away', 'It is away.');

  it('ends with the reason of its signal where that comes in a pause', async () => {
    const cancelling = new AbortController();
    const tried = withRetries(() => Promise.reject(fault), {
      attempts: 3,
      signal: cancelling.signal,
      firstDelayMilliseconds: 60_000,
      onRetry: async () => void setImmediate(() => cancelling.abort(new Error('enough'))),
    });
    await assert.rejects(tried, /^Error: enough$/);
  });
});
