import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { ContentSegment } from '../core/tree-entry.ts';
import { Chunker } from './chunker.ts';
import { type Batch, type CutBatch, cutBatch } from './pipeline/cut-batch.ts';
import { writeStream } from './stream-writer.ts';

/** Of a kind in which some chunks reach the maximum. */
function contentOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed | 1;
  for (let at = 0; at < length; at++) {
    state = Math.imul(state, 1103515245) + 12345;
    bytes[at] = at % 50_000 < 20_000 ? 7 : state >>> 24;
  }
  return bytes;
}

function cutAtOnce(chunker: Chunker, bytes: Buffer): string[] {
  const chunks: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = chunker.cut(bytes, start, bytes.length);
    chunks.push(bytes.toString('latin1', start, end));
    start = end;
  }
  return chunks;
}

/** As a worker thread does, later. */
function cutBy(chunker: Chunker): (batch: Batch) => Promise<CutBatch> {
  return async (batch) => {
    await new Promise(setImmediate);
    return cutBatch({ chunker, identify: () => Buffer.alloc(32), has: () => false }, batch);
  };
}

test('a stream is cut as its content says, in whatever pieces it comes', async () => {
  const chunker = new Chunker(Buffer.alloc(32, 5), { minimum: 1024, average: 4096, maximum: 16_384 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 200_000 }),
      fc.nat(),
      fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 4 }),
      async (length, seed, pieces) => {
        const content = contentOf(length, seed);
        async function* source(): AsyncGenerator<Buffer> {
          const memory = Buffer.alloc(50_000);
          for (let at = 0, turn = 0; at < length; turn++) {
            // Memory that is used again, as a source may.
            const copied = content.copy(memory, 0, at, at + (pieces[turn % pieces.length] as number));
            yield memory.subarray(0, copied);
            at += copied;
          }
        }
        const chunks: string[] = [];
        const storeChunks = async (bytes: Uint8Array, ends: readonly number[]): Promise<ContentSegment[]> => {
          let start = 0;
          return ends.map((end) => {
            chunks.push(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
            const segment = { id: Buffer.alloc(32), length: end - start };
            start = end;
            return segment;
          });
        };
        const storePages = async () => [];
        const options = {
          longestChunk: chunker.sizes.maximum,
          cut: cutBy(chunker),
          inlineLimit: 0,
          storeChunks,
          storePages,
          onInline: () => undefined,
          signal: undefined,
        };
        const stored = await writeStream(source(), options, {});
        assert.equal(stored.length, length);
        assert.deepEqual(chunks, cutAtOnce(chunker, content));
      },
    ),
    { numRuns: 60 },
  );
});

test('a stream is cut, too, where the longest chunk is longer than a batch', async () => {
  const chunker = new Chunker(Buffer.alloc(32, 5), { minimum: 2 ** 20, average: 2 ** 21, maximum: 9 * 2 ** 20 });
  const content = Buffer.alloc(20 * 2 ** 20, 7);
  const lengths: number[] = [];
  const options = {
    longestChunk: chunker.sizes.maximum,
    cut: cutBy(chunker),
    inlineLimit: 0,
    storeChunks: async (_bytes: Uint8Array, ends: readonly number[]): Promise<ContentSegment[]> =>
      ends.map((end, index) => {
        const length = end - (ends[index - 1] ?? 0);
        lengths.push(length);
        return { id: Buffer.alloc(32), length };
      }),
    storePages: async () => [],
    onInline: () => undefined,
    signal: undefined,
  };
  async function* source(): AsyncGenerator<Buffer> {
    yield content;
  }
  await writeStream(source(), options, {});
  assert.deepEqual(
    lengths,
    cutAtOnce(chunker, content).map(({ length }) => length),
  );
  assert.ok(lengths.includes(chunker.sizes.maximum));
});
