import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { type ByteString, comparePaths } from '../core/tree-entry.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { decodeTreeIndex, encodeTreePage, isBelow, pagesHolding, type TreePage } from './tree-index.ts';

const name = fc.constantFrom('a', 'b', 'a-b', 'a.b', 'ab', '\u00e9');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

function pagesOf(paths: readonly ByteString[], size: number): { page: TreePage; paths: ByteString[] }[] {
  const pages: { page: TreePage; paths: ByteString[] }[] = [];
  for (let at = 0; at < paths.length; at += size) {
    const own = paths.slice(at, at + size);
    pages.push({
      page: { firstPath: own[0]!, page: { id: Buffer.alloc(32, at % 251), length: 10 }, entries: own.length },
      paths: own,
    });
  }
  return pages;
}

describe('the index of a tree', () => {
  test('comes back as it was encoded', () => {
    const page = fc.record({
      firstPath: path,
      page: fc.record({ id: fc.uint8Array({ minLength: 32, maxLength: 32 }), length: fc.nat() }),
      entries: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(page, { maxLength: 5 }), (pages) => {
        const decoded = decodeTreeIndex(Buffer.concat(pages.map(encodeTreePage)));
        assert.deepEqual(
          decoded.map(({ firstPath, page: { id, length }, entries }) => [firstPath, [...id!], length, entries]),
          pages.map(({ firstPath, page: { id, length }, entries }) => [firstPath, [...id], length, entries]),
        );
      }),
      RUNS,
    );
  });

  test('names every page that holds a path or something below it', () => {
    const sets = fc.uniqueArray(path, { maxLength: 60 }).map((paths) => paths.sort(comparePaths));
    fc.assert(
      fc.property(
        sets,
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.oneof(path, fc.constant('')), { minLength: 1, maxLength: 3 }),
        (paths, size, wanted) => {
          const pages = pagesOf(paths, size);
          const chosen = new Set(
            pagesHolding(
              pages.map(({ page }) => page),
              wanted,
            ),
          );
          for (const each of pages) {
            if (each.paths.some((own) => wanted.some((one) => isBelow(own, one))))
              assert.ok(chosen.has(each.page), each.page.firstPath);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('leaves out pages far away from a path', () => {
    const paths = Array.from({ length: 1000 }, (_, index) => `d/${String(index).padStart(4, '0')}`);
    const pages = pagesOf(paths, 10).map(({ page }) => page);
    assert.equal(pagesHolding(pages, ['d/0555']).length, 1);
    assert.ok(pagesHolding(pages, ['d/0550']).length <= 2);
    assert.equal(pagesHolding(pages, ['e']).length, 1);
    assert.equal(pagesHolding(pages, undefined).length, 100);
    assert.equal(pagesHolding(pages, ['d']).length, 100);
  });

  const id = Buffer.alloc(32);
  const wrong: [name: string, row: unknown][] = [
    ['with a short id', [Buffer.from('a'), id.subarray(1), 10, 1]],
    ['with a page of negative length', [Buffer.from('a'), id, -1, 1]],
    ['with half an entry', [Buffer.from('a'), id, 10, 0.5]],
  ];
  for (const [name, row] of wrong) {
    test(`${name} is damaged`, () => {
      assert.equal(errorOf(() => decodeTreeIndex(encodeMetadata(row)))?.code, 'metadata-damaged');
    });
  }

  test('that is random or mutated bytes is damaged or an index, never a crash', () => {
    const good = encodeTreePage({ firstPath: 'a/b', page: { id: Buffer.alloc(32, 1), length: 5 }, entries: 2 });
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      mutationsOf(good),
    );
    fc.assert(
      fc.property(input, (bytes) => {
        assert.match(errorOf(() => decodeTreeIndex(bytes))?.code ?? 'metadata-damaged', /^metadata-damaged$/);
      }),
      { numRuns: 400 },
    );
  });
});

describe('the order of paths', () => {
  test('puts a folder right before what is in it, and is one order for all', () => {
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 40 }), (paths) => {
        const sorted = paths.toSorted(comparePaths);
        for (const [index, each] of sorted.entries()) {
          const below = sorted.filter((other) => other !== each && isBelow(other, each));
          assert.deepEqual(sorted.slice(index + 1, index + 1 + below.length), below);
        }
      }),
      RUNS,
    );
  });
});
