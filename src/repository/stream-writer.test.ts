import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
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

/** Counts the bytes that it looks at for cuts. */
class CountingChunker extends Chunker {
  looked = 0;

  override find(bytes: Uint8Array, start: number, end: number, seen: number): number | undefined {
    const found = super.find(bytes, start, end, seen);
    this.looked += (found ?? end) - Math.max(start, seen);
    return found;
  }
}

interface Written {
  segments: string[];
  /** Of chunks that were given to be stored. */
  storedBytes: number;
}

/** Writes a stream to a repository that holds `known` chunks, and expects it to be like `earlier`. */
async function written(
  chunker: Chunker,
  content: Buffer,
  known: ReadonlySet<string>,
  earlier?: readonly ContentSegment[],
): Promise<Written & { list: readonly ContentSegment[] }> {
  const identify = (plain: Uint8Array) => createHash('sha256').update(plain).digest();
  const nameOf = (id: Uint8Array) => Buffer.from(id).toString('hex');
  let storedBytes = 0;
  const options = {
    longestChunk: chunker.sizes.maximum,
    cut: async (batch: Batch) =>
      structuredClone(cutBatch({ chunker, identify, has: (id) => known.has(nameOf(id)) }, batch)),
    inlineLimit: 0,
    storeChunks: async (bytes: Uint8Array, ends: readonly number[], ids: readonly (Uint8Array | undefined)[]) => {
      let start = 0;
      storedBytes += bytes.length;
      return ends.map((end, index) => {
        const id = identify(bytes.subarray(start, end));
        assert.deepEqual(Buffer.from(ids[index] ?? id), id);
        const segment = { id, length: end - start };
        start = end;
        return segment;
      });
    },
    storePages: async () => [],
    onInline: () => undefined,
    signal: undefined,
  };
  async function* source(): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.length; at += 7000) yield content.subarray(at, at + 7000);
  }
  async function* segments(): AsyncGenerator<ContentSegment> {
    yield* earlier ?? [];
  }
  const { root } = await writeStream(source(), options, earlier === undefined ? {} : { expected: segments() });
  const list = 'segments' in root.content ? root.content.segments : [];
  return { list, storedBytes, segments: list.map(({ id, length }) => `${length} ${nameOf(id ?? Buffer.alloc(0))}`) };
}

test('a stream is cut as it is without anything expected, whatever was edited', async () => {
  const chunker = new Chunker(Buffer.alloc(32, 5), { minimum: 256, average: 1024, maximum: 4096 });
  const edit = fc.record({ at: fc.nat(120_000), removed: fc.nat(9000), added: fc.nat(9000), seed: fc.nat() });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(120_000),
      fc.nat(),
      fc.array(edit, { maxLength: 4 }),
      fc.nat(9),
      async (length, seed, edits, dropped) => {
        const before = contentOf(length, seed);
        let after = before;
        for (const { at, removed, added, seed: other } of edits) {
          const from = Math.min(at, after.length);
          after = Buffer.concat([after.subarray(0, from), contentOf(added, other), after.subarray(from + removed)]);
        }
        const first = await written(chunker, before, new Set());
        const known = new Set(first.segments.map((segment) => segment.split(' ')[1] as string));
        const plain = await written(chunker, after, known);
        // A list of which something was lost is as good as any.
        const earlier = first.list.map((segment, index) => (index === dropped ? { ...segment, id: null } : segment));
        const guessed = await written(chunker, after, known, earlier);
        assert.deepEqual(guessed.segments, plain.segments);
        const fresh = plain.list.filter(({ id }) => !known.has(Buffer.from(id ?? []).toString('hex')));
        assert.equal(
          guessed.storedBytes,
          fresh.reduce((sum, chunk) => sum + chunk.length, 0),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('where a stream is as expected, no cuts are looked for, also behind what was inserted', async () => {
  const chunker = new CountingChunker(Buffer.alloc(32, 5), { minimum: 256, average: 1024, maximum: 4096 });
  const before = contentOf(400_000, 9);
  const first = await written(chunker, before, new Set());
  const known = new Set(first.segments.map((segment) => segment.split(' ')[1] as string));
  chunker.looked = 0;
  const same = await written(chunker, before, known, first.list);
  assert.equal(chunker.looked, 0);
  assert.equal(same.storedBytes, 0);
  const inserted = Buffer.concat([before.subarray(0, 100_000), contentOf(500, 77), before.subarray(100_000)]);
  const second = await written(chunker, inserted, known, first.list);
  assert.ok(chunker.looked > 0 && chunker.looked < 40_000, `${chunker.looked}`);
  assert.ok(second.storedBytes < 12_000);
});
