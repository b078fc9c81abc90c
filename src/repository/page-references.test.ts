import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { segments, treeEntry } from '../../test/fuzz/examples.ts';
import type { Content, TreeEntry } from '../core/tree-entry.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { PageReferenceCollector } from './page-references.ts';
import { encodeTreeEntry } from './tree-entry-codec.ts';

function collected(...pages: Uint8Array[]): { ids: string[]; lists: Content[] } {
  const collector = new PageReferenceCollector();
  for (const page of pages) collector.add(page);
  const { ids, lists } = collector.finish();
  return {
    ids: Array.from({ length: ids.length / 32 }, (_, index) => hex(ids.subarray(32 * index, 32 * index + 32))),
    lists,
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const ENTRY: TreeEntry = { path: 'a', type: 'file', mode: 0o600, uid: 0, gid: 0, modifiedAt: 0n };

describe('the references of pages', () => {
  test('are those of all entries, in their order, whatever else the entries say', () => {
    const property = fc.property(fc.array(fc.array(treeEntry, { maxLength: 5 }), { maxLength: 3 }), (pages) => {
      const contents = pages.flat().flatMap(({ content }) => content ?? []);
      const ids = contents.flatMap((content) =>
        'segments' in content ? content.segments.flatMap(({ id }) => id ?? []) : [],
      );
      const lists = contents.filter((content) => 'pages' in content);
      const found = collected(...pages.map((page) => Buffer.concat(page.map(encodeTreeEntry))));
      assert.deepEqual(found.ids, ids.map(hex));
      assert.equal(found.lists.length, lists.length);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('are many where a file has many chunks', () => {
    const ids = Array.from({ length: 999 }, (_, index) => Buffer.alloc(32, index));
    const content = { segments: ids.map((id) => ({ id, length: 2 ** 40 })) };
    const page = Buffer.concat([1, 2, 3].map(() => encodeTreeEntry({ ...ENTRY, content })));
    assert.deepEqual(collected(page, page).ids, [...ids, ...ids, ...ids, ...ids, ...ids, ...ids].map(hex));
  });

  test('are found too where something is written in a way that is not stepped over', () => {
    fc.assert(
      fc.property(segments, (each) => {
        const list = each.map(({ id, length }) => [id, length]);
        const odd = encodeMetadata({
          path: Buffer.from('a'),
          type: 'file',
          mode: 1,
          uid: 1,
          gid: 1,
          odd: 1.5,
          segments: list,
        });
        assert.deepEqual(collected(odd).ids, each.flatMap(({ id }) => id ?? []).map(hex));
      }),
      { numRuns: 50 },
    );
  });

  test('are refused where the page is none', () => {
    const good = encodeTreeEntry({ ...ENTRY, content: { segments: [{ id: Buffer.alloc(32, 7), length: 1 }] } });
    for (let length = 1; length < good.length; length++)
      assert.throws(() => collected(good.subarray(0, length)), { code: 'metadata-damaged' }, `${length} bytes`);
    assert.throws(() => collected(Buffer.concat([good, Buffer.from([0xbb, 255, 255, 255, 255, 255, 255, 255, 255])])), {
      code: 'metadata-damaged',
    });
  });
});
