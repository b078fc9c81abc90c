import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pullToPipe } from './pull-to-pipe.ts';

test('an interruption ends what waits for a reader that takes nothing', { timeout: 60_000 }, async () => {
  const interruption = new AbortController();
  const output = new Writable({
    highWaterMark: 1,
    write: () => setImmediate(() => interruption.abort()),
  });
  const content = {
    ...{ offset: 0, acceptsRanges: false, snapshotId: 'backup-1', resourceId: 'shop' },
    createdAt: '2026-11-20T02:00:00Z',
    async *bytes() {
      for (let at = 0; at < 10; at++) yield Buffer.alloc(64 * 1024);
    },
  };
  const pulled = pullToPipe({ ...content, bytes: content.bytes() }, output, () => undefined, interruption.signal);
  await assert.rejects(pulled, { name: 'AbortError' });
});
