import assert from 'node:assert/strict';
import test from 'node:test';
import { RequestSlots } from './request-slots.ts';

test('slots go to those who wait in their order, and past whoever gave up waiting', async () => {
  const slots = new RequestSlots(1);
  const release = await slots.take();
  const stop = new AbortController();
  const given = slots.take(stop.signal);
  const order: number[] = [];
  const second = slots.use(async () => order.push(2));
  const third = slots.use(async () => order.push(3));
  const reason = new Error('nobody wants it any more');
  stop.abort(reason);
  await assert.rejects(given, reason);
  assert.deepEqual(order, []);
  release();
  await Promise.all([second, third]);
  assert.deepEqual(order, [2, 3]);
  await assert.rejects(slots.take(stop.signal), reason);
  (await slots.take())();
});
