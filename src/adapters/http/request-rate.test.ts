import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestCounter } from './request-rate.ts';

describe('RequestCounter', () => {
  it('lets each address send its number of requests a minute, and tells the rest how long to wait', () => {
    let now = 1_000_000;
    const counter = new RequestCounter(2, () => now);
    assert.equal(counter.count('a'), 0);
    assert.equal(counter.count('a'), 0);
    now += 15_000;
    assert.equal(counter.count('a'), 45);
    assert.equal(counter.count('b'), 0);
    now += 45_000;
    assert.equal(counter.count('a'), 0);
  });
});
