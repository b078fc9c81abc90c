import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { inLanes } from './lanes.ts';

describe('work in lanes', () => {
  test('is done for each item once, never on more at a time than there are lanes', async () => {
    const done: number[] = [];
    let atWork = 0;
    let most = 0;
    await inLanes([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++atWork);
      await turn();
      atWork--;
      done.push(item);
    });
    assert.deepEqual(done.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(most, 3);
  });

  test('that fails begins nothing more, and what was begun ends before the failure is thrown', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const working = inLanes([1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('the first');
      await turn();
      await turn();
      ended.push(item);
    });
    await assert.rejects(working, /the first/);
    assert.deepEqual([begun, ended], [[1, 2], [2]]);
  });
});
