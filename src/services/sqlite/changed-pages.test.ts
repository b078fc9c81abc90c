import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { ChangedPagesFile, readChangedPages } from './changed-pages.ts';
import { PageTable } from './page-table.ts';

async function* cut(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<[number, number][]> {
  const found: [number, number][] = [];
  const nothing = (): void => undefined;
  for await (const { page, bytes } of readChangedPages(source, nothing)) found.push([page, bytes[0] ?? -1]);
  return found;
}

async function write(pages: readonly (readonly [number, number])[]): Promise<Buffer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pages-'));
  try {
    const file = new ChangedPagesFile(path.join(folder, 'piece'), 512);
    for (const [page, fill] of pages) file.add(page, Buffer.alloc(512, fill));
    file.finish({ pageCount: 2000, smallestPageCount: 1 });
    file.close();
    return await readFile(path.join(folder, 'piece'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('pages come back in their order, however the bytes arrive', async () => {
  const pages = Array.from({ length: 1500 }, (_, at) => [at + 1, at % 251] as [number, number]);
  const bytes = await write(pages);
  for (const length of [7, 516, 65_536, bytes.length]) assert.deepEqual(await readAll(cut(bytes, length)), pages);
});

test('a piece that is cut, longer or another thing is refused', async () => {
  const bytes = await write([
    [1, 1],
    [2, 2],
  ]);
  const other = Buffer.from(bytes);
  other.writeUInt32BE(1000, 8);
  const unnumbered = Buffer.from(bytes);
  unnumbered.writeUInt32BE(0, 24);
  for (const broken of [
    Buffer.alloc(0),
    bytes.subarray(0, 20),
    bytes.subarray(0, -1),
    bytes.subarray(0, -516),
    Buffer.concat([bytes, bytes.subarray(24)]),
    other,
    unnumbered,
    Buffer.alloc(2000),
  ])
    await assert.rejects(readAll(cut(broken, 100)), { code: 'log-piece-malformed' });
});

test('the sum of a state depends on its pages alone, not on the way that led to it', () => {
  const change = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 5 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.integer({ min: 0, max: 12 }), (changes, pageCount) => {
      const table = new PageTable(512);
      const pages = new Map<number, number>();
      for (const [page, fill] of changes) {
        table.set(page, Buffer.alloc(512, fill));
        pages.set(page, fill);
      }
      table.resize(pageCount);
      const straight = new PageTable(512);
      for (let page = 1; page <= pageCount; page++) straight.set(page, Buffer.alloc(512, pages.get(page) ?? 0));
      assert.deepEqual([table.state, table.pageCount], [straight.state, pageCount]);
      for (let page = 1; page <= pageCount; page++)
        assert.equal(table.set(page, Buffer.alloc(512, pages.get(page) ?? 0)), false);
    }),
  );
});
