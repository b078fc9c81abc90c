import assert from 'node:assert/strict';
import test from 'node:test';
import { LARGEST_PACK, UploadMemory } from './upload-memory.ts';

test('another pack may fill while one is on its way, and none beyond until one has ended, even badly', async () => {
  const memory = new UploadMemory();
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const sending = [
    memory.whileSending(LARGEST_PACK, () => first.promise),
    memory.whileSending(LARGEST_PACK, () => second.promise),
  ];
  let isReady = false;
  const ready = memory.ready().then(() => {
    isReady = true;
  });
  await new Promise(setImmediate);
  assert.equal(isReady, false);
  first.reject(new Error('the network is gone'));
  await assert.rejects(sending[0] as Promise<void>, /network/);
  await ready;
  second.resolve();
  await sending[1];
});

test('a buffer that was given back is used again', () => {
  const memory = new UploadMemory();
  const buffer = memory.take(LARGEST_PACK);
  memory.giveBack(buffer);
  assert.equal(memory.take(LARGEST_PACK + 1), buffer);
  assert.notEqual(memory.take(LARGEST_PACK + 1), buffer);
  memory.giveBack(buffer);
  memory.clear();
});
