import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Throttle } from './throttle.ts';

describe('a throttle', () => {
  test('does the first thing at once and the last one always, however soon they follow each other', async () => {
    let value = 0;
    const done: number[] = [];
    const throttle = new Throttle(30, async () => {
      done.push(value);
    });
    for (value = 1; value < 5; value++) throttle.ask();
    assert.deepEqual(done, [1]);
    while (done.length < 2) await sleep(5);
    await sleep(50);
    assert.deepEqual(done, [1, 5]);
  });

  test('does nothing twice at the same time', async () => {
    let running = 0;
    let done = 0;
    const throttle = new Throttle(1, async () => {
      assert.equal(++running, 1);
      await sleep(20);
      running--;
      done++;
    });
    throttle.ask();
    await sleep(5);
    throttle.ask();
    throttle.ask();
    while (done < 2) await sleep(5);
    await sleep(30);
    assert.equal(done, 2);
  });

  test('that is stopped waits for what runs and does nothing after it', async () => {
    let done = 0;
    const throttle = new Throttle(1, async () => {
      await sleep(20);
      done++;
    });
    throttle.ask();
    throttle.ask();
    await throttle.stop();
    assert.equal(done, 1);
    throttle.ask();
    await sleep(40);
    assert.equal(done, 1);
  });
});
