import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Content, ContentSegment, TreeEntry } from '../../src/core/tree-entry.ts';
import { contentSegments } from '../../src/repository/content-list.ts';
import { decodeLostEntries, encodeLostEntries } from '../../src/repository/lost-entries.ts';
import { decodeMetadata, decodeMetadataSequence, encodeMetadata } from '../../src/repository/metadata-encoding.ts';
import { PageReferenceCollector } from '../../src/repository/page-references.ts';
import {
  decodeContent,
  decodeTreePage,
  encodeContent,
  encodeSegment,
  encodeTreeEntry,
} from '../../src/repository/tree-entry-codec.ts';
import { decodeTreeIndex, encodeTreePage, pagesHolding } from '../../src/repository/tree-index.ts';
import type { FuzzedDecoder } from './decoder.ts';
import { byteString, content, id, segments, snapshotRecord, treeEntry } from './examples.ts';

const page = fc.record({
  firstPath: byteString,
  page: fc.record({ id, length: fc.nat() }),
  entries: fc.nat(),
});

export const TREE_DECODERS: readonly FuzzedDecoder[] = [
  {
    name: 'metadata',
    form: 'cbor',
    examples: snapshotRecord.map(encodeMetadata),
    refuses: ['damaged'],
    decode: (bytes) => decodeMetadata(bytes),
  },
  {
    name: 'a sequence of metadata',
    form: 'cbor-sequence',
    examples: fc.array(treeEntry, { maxLength: 4 }).map((entries) => Buffer.concat(entries.map(encodeTreeEntry))),
    refuses: ['damaged'],
    decode: (bytes) => {
      const parts = [...decodeMetadataSequence(bytes)].map(({ encoded }) => encoded);
      assert.ok(Buffer.concat(parts).equals(bytes));
    },
  },
  {
    name: 'a page of a tree',
    form: 'cbor-sequence',
    examples: fc.array(treeEntry, { maxLength: 6 }).map((entries) => Buffer.concat(entries.map(encodeTreeEntry))),
    refuses: ['damaged'],
    decode: (bytes) => {
      const { entries } = decodeTreePage(bytes);
      for (const entry of entries) assertEntry(entry);
      assertAllFound(bytes, entries);
    },
  },
  {
    name: "a tree's index",
    form: 'cbor-sequence',
    examples: fc.array(page, { maxLength: 6 }).map((pages) => Buffer.concat(pages.map(encodeTreePage))),
    refuses: ['damaged'],
    decode: (bytes) => {
      const pages = decodeTreeIndex(bytes);
      for (const { page: segment, entries } of pages) {
        assertSegment(segment);
        assert.ok(Number.isSafeInteger(entries) && entries >= 0, `a page of ${entries} entries`);
      }
      pagesHolding(pages, ['a', 'b/c']);
    },
  },
  {
    name: 'the fields of a content',
    form: 'cbor',
    examples: content.map((each) => encodeMetadata(encodeContent(each))),
    refuses: ['damaged'],
    decode: (bytes) => {
      const value = decodeMetadata(bytes);
      if (typeof value !== 'object' || value === null) return;
      const decoded = decodeContent(value as Record<string, unknown>);
      if (decoded !== undefined) assertContent(decoded);
    },
  },
  {
    name: 'a page of a list of chunks',
    form: 'cbor',
    examples: segments.map((each) => encodeMetadata(each.map(encodeSegment))),
    refuses: ['damaged'],
    decode: async (bytes) => {
      const list = { depth: 1, pages: [{ id: new Uint8Array(32), length: 100 }] };
      for await (const segment of contentSegments(list, async () => bytes)) assertSegment(segment);
    },
  },
  {
    name: 'the lost parts of a tree',
    form: 'cbor',
    examples: fc
      .array(fc.record({ from: byteString, until: byteString, entries: fc.nat() }, { requiredKeys: ['from'] }), {
        maxLength: 4,
      })
      .map((lost) =>
        encodeMetadata(encodeLostEntries({ kind: 'tree', length: 0, entries: 0, content: NOTHING, lost })),
      ),
    refuses: ['damaged'],
    decode: (bytes) => {
      const value = decodeMetadata(bytes);
      if (typeof value !== 'object' || value === null) return;
      for (const { entries } of decodeLostEntries(value as Record<string, unknown>, 'snapshots/x').lost ?? [])
        assert.ok(entries === undefined || (Number.isSafeInteger(entries) && entries >= 0), `${entries} entries`);
    },
  },
];

const NOTHING: Content = { segments: [] };

/** A collection must not overlook a chunk that a restore would ask for. */
function assertAllFound(page: Buffer, entries: readonly TreeEntry[]): void {
  const collector = new PageReferenceCollector();
  collector.add(page);
  const { ids, lists } = collector.finish();
  const found = new Set(
    Array.from({ length: ids.length / 32 }, (_, index) => hex(ids.subarray(32 * index, 32 * index + 32))),
  );
  let wantedLists = 0;
  for (const { content } of entries) {
    if (content === undefined || 'inline' in content) continue;
    if ('pages' in content) wantedLists++;
    else for (const { id } of content.segments) assert.ok(id === null || found.has(hex(id)), 'a chunk was overlooked');
  }
  assert.equal(lists.length, wantedLists);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function assertEntry(entry: TreeEntry): void {
  for (const number of [entry.mode, entry.uid, entry.gid, entry.size ?? 0])
    assert.ok(Number.isSafeInteger(number), `${number}`);
  for (const number of [entry.modifiedAt, entry.changedAt ?? 0n, entry.inode ?? 0n, entry.device ?? 0n])
    assert.ok(number >= -(2n ** 64n) && number < 2n ** 64n, `${number} does not fit into 64 bits`);
  if (entry.content !== undefined) assertContent(entry.content);
  // What was read can be written again.
  encodeTreeEntry(entry);
}

function assertContent(decoded: Content): void {
  if ('inline' in decoded) return;
  for (const segment of 'segments' in decoded ? decoded.segments : decoded.pages) assertSegment(segment);
  let end = 0;
  for (const { offset, length } of decoded.missing ?? []) {
    assert.ok(offset >= end && length >= 0);
    end = offset + length;
  }
}

function assertSegment({ id: chunk, length }: ContentSegment): void {
  assert.ok(chunk === null || chunk.length === 32, `an id of ${chunk?.length} bytes`);
  assert.ok(Number.isSafeInteger(length) && length >= 0, `a length of ${length}`);
}
