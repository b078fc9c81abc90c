import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Storage } from '../../core/ports/storage.ts';
import { ReadBuffers } from './read-buffers.ts';

const MEBIBYTE = 1024 * 1024;

describe('buffers for ranges of packs', () => {
  function counted(): { buffers: ReadBuffers; made: number[] } {
    const made: number[] = [];
    const allocate = (length: number): Buffer => {
      made.push(length);
      return Buffer.allocUnsafeSlow(length);
    };
    return { buffers: new ReadBuffers({ allocate } as Partial<Storage> as Storage), made };
  }

  test('are used again where each range is a little longer than the one before', async () => {
    const { buffers, made } = counted();
    for (let length = 4 * MEBIBYTE + 1; length <= 8 * MEBIBYTE; length += 100_000)
      await buffers.use(length, async (buffer) => assert.ok(buffer.length >= length));
    assert.deepEqual(made, [8 * MEBIBYTE]);
  });

  test('are never two ranges’ at once', async () => {
    const { buffers } = counted();
    const inUse = new Set<Buffer>();
    const work = async (buffer: Buffer): Promise<void> => {
      assert.ok(!inUse.has(buffer));
      inUse.add(buffer);
      await new Promise((resolve) => setImmediate(resolve));
      inUse.delete(buffer);
    };
    await Promise.all(Array.from({ length: 50 }, (_, number) => buffers.use(1 + number * 200_000, work)));
  });

  test('that are long stay, whatever is read after them', async () => {
    const { buffers, made } = counted();
    const nothing = async (): Promise<void> => undefined;
    await Promise.all([1, 2, 8, 8].map((mebibytes) => buffers.use(mebibytes * MEBIBYTE, nothing)));
    await Promise.all([8, 8].map((mebibytes) => buffers.use(mebibytes * MEBIBYTE, nothing)));
    assert.equal(made.length, 4);
  });

  test('come back where the work with them fails', async () => {
    const { buffers, made } = counted();
    const failing = () => buffers.use(1, () => Promise.reject(new RangeError('damaged')));
    for (let count = 0; count < 3; count++) await assert.rejects(failing, RangeError);
    assert.equal(made.length, 1);
  });
});
