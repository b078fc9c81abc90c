import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../core/errors.ts';
import type { Content, ContentSegment } from '../core/tree-entry.ts';
import { buildContent, contentSegments, LONGEST_INLINE_LIST } from './content-list.ts';
import { encodeMetadata } from './metadata-encoding.ts';

/** Pages in memory, named by their hash. */
class PageStore {
  readonly pages = new Map<string, Uint8Array>();
  reads = 0;

  readonly store = async (pages: readonly Uint8Array[]): Promise<ContentSegment[]> =>
    pages.map((page) => {
      const id = createHash('sha256').update(page).digest();
      this.pages.set(id.toString('hex'), page);
      return { id, length: page.length };
    });

  readonly read = async (id: Uint8Array): Promise<Uint8Array> => {
    this.reads++;
    const page = this.pages.get(Buffer.from(id).toString('hex'));
    assert.ok(page !== undefined);
    return page;
  };
}

function segmentsOf(count: number, seed = 'segment'): ContentSegment[] {
  return Array.from({ length: count }, (_, index) =>
    index % 13 === 5
      ? { id: null, length: 4096 + index }
      : { id: createHash('sha256').update(`${seed} ${index}`).digest(), length: 1 + (index % 70_000) },
  );
}

async function walk(
  content: Content,
  store: PageStore,
  skip?: (start: number, length: number) => boolean,
): Promise<ContentSegment[]> {
  const found: ContentSegment[] = [];
  for await (const segment of contentSegments(content, store.read, skip)) found.push(segment);
  return found;
}

function plain(segments: readonly ContentSegment[]): string[] {
  return segments.map(({ id, length }) => `${id === null ? 'hole' : Buffer.from(id).toString('hex')} ${length}`);
}

describe('a list of chunks', () => {
  for (const count of [0, 1, LONGEST_INLINE_LIST, LONGEST_INLINE_LIST + 1, 20_000]) {
    test(`of ${count} segments comes back in order`, async () => {
      const store = new PageStore();
      const segments = segmentsOf(count);
      const content = await buildContent(segments, store.store);
      assert.equal('pages' in content, count > LONGEST_INLINE_LIST);
      assert.deepEqual(plain(await walk(content, store)), plain(segments));
    });
  }

  test('so long that its list of pages takes pages comes back too', async () => {
    const store = new PageStore();
    // Ids that end every page as early as one may end.
    const id = (index: number): Buffer => {
      const bytes = Buffer.alloc(32);
      bytes.writeUInt32BE(index);
      return bytes;
    };
    const count = 256 * (LONGEST_INLINE_LIST + 1);
    const segments = Array.from({ length: count }, (_, index) => ({ id: id(index), length: 3 }));
    const content = await buildContent(segments, store.store);
    assert.ok('depth' in content && content.depth === 2);
    assert.equal(
      content.pages.reduce((sum, page) => sum + page.length, 0),
      count * 3,
    );
    let next = 0;
    for await (const segment of contentSegments(content, store.read)) {
      assert.equal(Buffer.from(segment.id!).readUInt32BE(0), next);
      next++;
    }
    assert.equal(next, count);
  });

  test('reads only the pages that a range needs, and keeps every offset', async () => {
    const store = new PageStore();
    const segments = segmentsOf(30_000);
    const content = await buildContent(segments, store.store);
    const total = segments.reduce((sum, { length }) => sum + length, 0);
    await fc.assert(
      fc.asyncProperty(fc.nat(total - 1), fc.nat(100_000), async (from, length) => {
        store.reads = 0;
        const until = from + length;
        const found = await walk(content, store, (start, size) => start + size <= from || start >= until);
        assert.equal(
          found.reduce((sum, segment) => sum + segment.length, 0),
          total,
        );
        assert.ok(store.reads <= 3, `${store.reads} pages were read`);
        let position = 0;
        const wanted = new Set<string>();
        for (const each of segments) {
          if (each.id !== null && position + each.length > from && position < until) wanted.add(plain([each])[0]!);
          position += each.length;
        }
        for (const name of wanted) assert.ok(plain(found).includes(name));
      }),
      { numRuns: 8 },
    );
  });

  test('keeps most of its pages when something is inserted in front', async () => {
    const first = new PageStore();
    const second = new PageStore();
    const segments = segmentsOf(40_000);
    await buildContent(segments, first.store);
    await buildContent([...segmentsOf(3, 'inserted'), ...segments], second.store);
    const shared = [...second.pages.keys()].filter((name) => first.pages.has(name)).length;
    assert.ok(shared >= second.pages.size - 4, `${shared} of ${second.pages.size} pages are the same`);
  });

  const wrong: [name: string, content: Content, page: unknown][] = [
    ['nested deeper than any', { depth: 9, pages: [] }, []],
    ['nested less than once', { depth: 0, pages: [{ id: Buffer.alloc(32), length: 1 }] }, []],
    ['with a page that is a hole', { depth: 1, pages: [{ id: null, length: 1 }] }, []],
    ['with a page that is no list', { depth: 1, pages: [{ id: Buffer.alloc(32), length: 1 }] }, { no: 'list' }],
    [
      'with a segment of three parts',
      { depth: 1, pages: [{ id: Buffer.alloc(32), length: 1 }] },
      [[Buffer.alloc(32), 1, 2]],
    ],
    ['with a short id', { depth: 1, pages: [{ id: Buffer.alloc(32), length: 1 }] }, [[Buffer.alloc(31), 1]]],
    ['with a negative length', { depth: 1, pages: [{ id: Buffer.alloc(32), length: 1 }] }, [[null, -1]]],
    ['with a length that is no integer', { depth: 1, pages: [{ id: Buffer.alloc(32), length: 1 }] }, [[null, 1.5]]],
  ];
  for (const [name, content, page] of wrong) {
    test(`${name} is damaged`, async () => {
      await assert.rejects(
        async () => {
          for await (const _ of contentSegments(content, async () => encodeMetadata(page)));
        },
        (error) => error instanceof HoldfastError && error.code === 'metadata-damaged',
      );
    });
  }
});
