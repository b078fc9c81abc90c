import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, type Content, comparePaths, type TreeEntry } from '../core/tree-entry.ts';
import type { StorePages } from './content-list.ts';
import { TreeBuilder } from './tree-builder.ts';
import { decodeTreePage, encodeTreeEntry } from './tree-entry-codec.ts';
import { decodeTreeIndex, isBelow, pagesHolding, type TreePage } from './tree-index.ts';

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'a-b', 'a.b', 'ab', '\u00e9', '\u00ff\u00fe', '\u0001'),
  fc
    .uint8Array({ minLength: 1, maxLength: 20 })
    .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('/', '_')),
);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const attribute = fc
  .tuple(fc.nat(255), fc.oneof({ weight: 9, arbitrary: fc.nat(100) }, fc.nat(70_000)))
  .map(([byte, length]) => [{ name: 'user.\u00ff', value: Uint8Array.from(Buffer.alloc(length, byte)) }]);
const entries: fc.Arbitrary<TreeEntry[]> = fc
  .uniqueArray(fc.tuple(path, attribute), { maxLength: 80, selector: ([each]) => each })
  .map((pairs) =>
    pairs
      .map(([each, extendedAttributes]): TreeEntry => ({ ...COMMON, path: each, extendedAttributes }))
      .sort((a, b) => comparePaths(a.path, b.path)),
  );
const COMMON = { type: 'file', mode: 0o644, uid: 0, gid: 0, modifiedAt: 5n } as const;

/** Keeps pages in memory. */
class Tree {
  readonly pages = new Map<string, Uint8Array>();
  index: readonly TreePage[] = [];

  async build(list: readonly TreeEntry[], batch: number): Promise<void> {
    const storePages: StorePages = async (pages) =>
      pages.map((bytes) => {
        const id = createHash('sha256').update(bytes).digest();
        this.pages.set(id.toString('hex'), bytes);
        return { id, length: bytes.length };
      });
    const storeIndex = async (bytes: Uint8Array): Promise<Content> => {
      this.index = decodeTreeIndex(bytes);
      return { inline: bytes };
    };
    const builder = new TreeBuilder({ pages: { minimum: 256, average: 1024, maximum: 4096 }, storePages, storeIndex });
    for (let at = 0; at < list.length; at += batch) {
      const encoded = list.slice(at, at + batch).map(encodeTreeEntry);
      let end = 0;
      await builder.append({
        paths: list.slice(at, at + batch).map((each) => each.path),
        ends: Uint32Array.from(encoded, (bytes) => {
          end += bytes.length;
          return end;
        }),
        bytes: Buffer.concat(encoded),
      });
    }
    const root = await builder.finish();
    assert.equal(root.entries, list.length);
    assert.equal(
      root.length,
      this.index.reduce((sum, { page }) => sum + page.length, 0),
    );
  }

  entries(pages: readonly TreePage[] = this.index): TreeEntry[] {
    return pages.flatMap(
      ({ page }) => decodeTreePage(this.pages.get(Buffer.from(page.id ?? []).toString('hex')) as Uint8Array).entries,
    );
  }

  /** As a reader looks for them. */
  below(wanted: ByteString): ByteString[] {
    const found = this.entries(pagesHolding(this.index, [wanted])).map((each) => each.path);
    return found.filter((each) => isBelow(each, wanted));
  }
}

describe('a tree', () => {
  test('gives back any entries in their order, whatever bytes their names are and however large they are', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.integer({ min: 1, max: 30 }), async (list, batch) => {
        const tree = new Tree();
        await tree.build(list, batch);
        const found = tree.entries();
        assert.deepEqual(found.map(encodeTreeEntry), list.map(encodeTreeEntry));
        assert.equal(
          tree.index.reduce((sum, page) => sum + page.entries, 0),
          list.length,
        );
        for (const page of tree.index) assert.equal(tree.entries([page])[0]?.path, page.firstPath);
      }),
      { numRuns: 60 },
    );
  });

  test('finds by a path exactly the entry there and what is below it', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.array(path, { maxLength: 5 }), async (list, others) => {
        const tree = new Tree();
        await tree.build(list, 20);
        const paths = list.map((each) => each.path);
        for (const wanted of [...others, ...paths.slice(0, 20), ...paths.map((each) => each.split('/')[0] ?? '')])
          assert.deepEqual(
            tree.below(wanted),
            paths.filter((each) => each === wanted || each.startsWith(`${wanted}/`)),
          );
      }),
      { numRuns: 40 },
    );
  });

  test('is made of the same pages however its entries came', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (list) => {
        const [one, other] = [new Tree(), new Tree()];
        await one.build(list, 1);
        await other.build(list, 1000);
        assert.deepEqual([...one.pages.keys()], [...other.pages.keys()]);
      }),
      { numRuns: 20 },
    );
  });

  test('refuses entries that come out of order', async () => {
    const list: TreeEntry[] = [
      { ...COMMON, path: 'b' },
      { ...COMMON, path: 'a' },
    ];
    await assert.rejects(new Tree().build(list, 2), { code: 'tree-out-of-order' });
  });
});
