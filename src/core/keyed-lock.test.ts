import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyedLock } from './keyed-lock.ts';

describe('a lock with keys', { timeout: 10_000 }, () => {
  it('lets one through for each key, in the order of arrival, whatever came of the one before', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const work = (name: string) => async () => {
      seen.push(`${name} begins`);
      await new Promise(setImmediate);
      seen.push(`${name} ends`);
      if (name === 'a') throw new Error('a fails');
      return name;
    };
    const [a, b, other] = [lock.run('x', work('a')), lock.run('x', work('b')), lock.run('y', work('c'))];
    await assert.rejects(a, /a fails/);
    assert.deepEqual([await b, await other], ['b', 'c']);
    assert.deepEqual(
      seen.filter((each) => !each.startsWith('c')),
      ['a begins', 'a ends', 'b begins', 'b ends'],
    );
    assert.equal(seen[1], 'c begins');
  });

  it('lets go at once who gives up waiting, and lets nobody through for that', async () => {
    const lock = new KeyedLock();
    const first = Promise.withResolvers<void>();
    const cancelled = new AbortController();
    const seen: string[] = [];
    const one = lock.run('x', () => first.promise);
    const two = lock.run('x', async () => void seen.push('two'), cancelled.signal);
    const three = lock.run('x', async () => void seen.push('three'));
    cancelled.abort(new Error('no more'));
    await assert.rejects(two, /no more/);
    // One that comes now waits as well, though nobody stands before it but who gave up.
    const four = lock.run('x', async () => void seen.push('four'));
    await new Promise(setImmediate);
    assert.deepEqual(seen, []);
    first.resolve();
    await Promise.all([one, three, four]);
    assert.deepEqual(seen, ['three', 'four']);
  });

  it('leaves work that has begun to look at the signal itself', async () => {
    const lock = new KeyedLock();
    const cancelled = new AbortController();
    const work = async () => {
      await new Promise(setImmediate);
      cancelled.abort(new Error('no more'));
      return 'done';
    };
    assert.equal(await lock.run('x', work, cancelled.signal), 'done');
    await assert.rejects(lock.run('x', work, cancelled.signal), /no more/);
  });
});
