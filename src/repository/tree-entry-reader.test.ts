import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mutationsOf } from '../../test/mutated-bytes.ts';
import type { TreeEntry } from '../core/tree-entry.ts';
import { decodeFirstMetadata, encodeMetadata } from './metadata-encoding.ts';
import { encodeTreeEntry, toTreeEntry } from './tree-entry-codec.ts';
import { TreeEntryReader } from './tree-entry-reader.ts';

const ID = Buffer.alloc(32, 7);
const FILE: TreeEntry = {
  path: 'srv/data/caf\xe9',
  type: 'file',
  mode: 0o4644,
  uid: 1000,
  gid: 70_000,
  user: 'ada',
  group: 'staff',
  modifiedAt: 1_763_690_123_456_789_012n,
  changedAt: 0n,
  inode: 2n ** 64n - 1n,
  device: 65_025n,
  size: 2 ** 40,
  content: {
    segments: [
      { id: ID, length: 70 },
      { id: null, length: 2 ** 40 - 70 },
    ],
  },
  hardLinkGroup: '65025:12',
  extendedAttributes: [{ name: 'user.a', value: Buffer.from('b') }],
};
const COMMON = { mode: 0o755, uid: 0, gid: 0, modifiedAt: 5n };
const ENTRIES: TreeEntry[] = [
  FILE,
  { ...COMMON, path: 'a', type: 'directory' },
  { ...COMMON, path: 'b', type: 'symlink', target: '../\xff' },
  { ...COMMON, path: '', type: 'fifo' },
  { ...COMMON, path: 'c', type: 'file', size: 0, content: { inline: new Uint8Array(0) } },
  { ...COMMON, path: 'd', type: 'file', size: 300, content: { inline: new Uint8Array(300).fill(3) } },
];

/** Bytes of any class become those of one. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

describe('the reader of entries', () => {
  test('reads what Holdfast writes, one entry after another', () => {
    for (const isInPlace of [true, false]) {
      const reader = new TreeEntryReader(Buffer.concat(ENTRIES.map(encodeTreeEntry)), isInPlace);
      for (const entry of ENTRIES) assert.deepEqual(plain(reader.next()), plain(entry));
      assert.ok(reader.isAtEnd);
    }
  });

  test('copies contents where the memory of the page is to be used again', () => {
    const page = Buffer.from(encodeTreeEntry(FILE));
    const [copied, inPlace] = [false, true].map((isInPlace) => new TreeEntryReader(page, isInPlace).next());
    page.fill(0);
    assert.deepEqual(plain(copied), plain(FILE));
    assert.notDeepEqual(plain(inPlace), plain(FILE));
  });

  test('gives of any bytes what decoding them in full gives, or nothing', () => {
    let read = 0;
    for (const entry of ENTRIES) {
      const encoded = encodeTreeEntry(entry);
      fc.assert(
        fc.property(fc.oneof(mutationsOf(encoded), fc.uint8Array({ maxLength: 60 })), (bytes) => {
          const reader = new TreeEntryReader(bytes, false);
          const found = reader.next();
          if (found === undefined) {
            assert.equal(reader.position, 0);
            return;
          }
          read++;
          const item = decodeFirstMetadata(bytes);
          assert.deepEqual(plain(found), plain(toTreeEntry(item.value)));
          assert.equal(reader.position, item.encoded.length);
        }),
        { numRuns: 400 },
      );
    }
    assert.ok(read > 100, `${read} were read at all`);
  });

  test('leaves to others what is not of the plain kind', () => {
    const map = { path: Buffer.from('a'), type: 'file', mode: 1, uid: 1, gid: 1, mtime: 1 };
    const others: unknown[] = [
      [1],
      { ...map, birthtime: 5 },
      { ...map, type: 'door' },
      { ...map, user: 'Zo\u00eb' },
      { ...map, mtime: -1 },
      { ...map, uid: 2n ** 60n },
      { ...map, path: undefined },
      { ...map, inline: ID, segments: [] },
      { ...map, segments: [[ID.subarray(1), 5]] },
      { ...map, segments: [[ID]] },
      { ...map, depth: 1, pages: [[ID, 5]] },
      { ...map, segments: [[null, 5]], missing: [[0, 5]] },
    ];
    for (const other of others) assert.equal(new TreeEntryReader(encodeMetadata(other), false).next(), undefined);
    const cutShort = encodeMetadata(map).slice(0, -1);
    assert.equal(new TreeEntryReader(cutShort, false).next(), undefined);
  });
});
