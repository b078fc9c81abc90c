import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import type { Content, EntryType, TreeEntry } from '../core/tree-entry.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { decodeContent, decodeTreePage, encodeInFull, encodeTreeEntry } from './tree-entry-codec.ts';

const byteString = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const nanoseconds = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const bytes = fc.uint8Array({ maxLength: 30 }).map((each) => new Uint8Array(each));
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((each) => new Uint8Array(each));
const segments = fc.array(fc.record({ id: fc.oneof(id, fc.constant(null)), length: fc.maxSafeNat() }), {
  maxLength: 4,
});
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ inline: bytes }),
  fc.record({ segments }),
  fc.record({ depth: fc.nat(8), pages: segments }),
);
const types: EntryType[] = ['file', 'directory', 'symlink', 'fifo', 'character-device', 'block-device', 'socket'];
const entry: fc.Arbitrary<TreeEntry> = fc.record(
  {
    path: byteString,
    type: fc.constantFrom(...types),
    mode: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    modifiedAt: nanoseconds,
    user: fc.string(),
    group: fc.string(),
    changedAt: nanoseconds,
    inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    device: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    size: fc.maxSafeNat(),
    content,
    target: byteString,
    hardLinkGroup: fc.string(),
    deviceMajor: fc.nat(),
    deviceMinor: fc.nat(),
    extendedAttributes: fc.array(fc.record({ name: byteString, value: bytes }), { maxLength: 3 }),
  },
  { requiredKeys: ['path', 'type', 'mode', 'uid', 'gid', 'modifiedAt'] },
);

describe('tree entries', () => {
  test('come back as they were, with the bytes that stand for them', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 4 }), (entries) => {
        const encoded = entries.map(encodeTreeEntry);
        const page = decodeTreePage(Buffer.concat(encoded));
        assert.deepEqual(page.entries.map(plain), entries.map(plain));
        assert.deepEqual(
          page.encoded.map((each) => Buffer.from(each)),
          encoded.map((each) => Buffer.from(each)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('are the bytes that encoding them as any CBOR gives', () => {
    fc.assert(
      fc.property(entry, (each) => {
        assert.deepEqual(Buffer.from(encodeTreeEntry(each)), Buffer.from(encodeInFull(each)));
      }),
      { numRuns: 1000 },
    );
    const number = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
    for (const size of number) {
      const time = BigInt(size) + 1n;
      const each: TreeEntry = {
        ...{ path: 'a'.repeat(Math.min(size, 70_000)), type: 'character-device', mode: 1, uid: size, gid: 3, size },
        ...{
          modifiedAt: time,
          changedAt: 2n ** 64n - time,
          user: 'Zo\u00eb',
          group: '\ud800',
          content: { inline: new Uint8Array(size % 100_000) },
        },
      };
      assert.deepEqual(Buffer.from(encodeTreeEntry(each)), Buffer.from(encodeInFull(each)));
    }
  });

  test('give the same bytes whatever the order of their fields', () => {
    const one: TreeEntry = { path: 'a', type: 'fifo', mode: 1, uid: 2, gid: 3, modifiedAt: 4n };
    const other: TreeEntry = { modifiedAt: 4n, gid: 3, uid: 2, mode: 1, type: 'fifo', path: 'a' };
    assert.deepEqual(encodeTreeEntry(one), encodeTreeEntry(other));
  });

  test('that are random or mutated bytes are damaged or entries, never a crash', () => {
    const good = encodeTreeEntry({
      path: 'srv/data',
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      modifiedAt: 1_763_690_123_456_789_012n,
      size: 70,
      content: { segments: [{ id: Buffer.alloc(32, 7), length: 70 }] },
      extendedAttributes: [{ name: 'user.a', value: Buffer.from('b') }],
    });
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each)),
      mutationsOf(good),
    );
    fc.assert(
      fc.property(input, (mutated) => {
        assert.match(errorOf(() => decodeTreePage(mutated))?.code ?? 'metadata-damaged', /^metadata-damaged$/);
      }),
      { numRuns: 500 },
    );
  });

  const good = { path: Buffer.from('a'), type: 'file', mode: 1, uid: 1, gid: 1, mtime: 1 };
  const wrong: [name: string, map: unknown][] = [
    ['that is a list', [1]],
    ['that is null', null],
    ['without a path', { ...good, path: undefined }],
    ['whose path is text', { ...good, path: 'a' }],
    ['of an unknown type', { ...good, type: 'door' }],
    ['without a mode', { ...good, mode: undefined }],
    ['whose size is no integer', { ...good, size: 0.5 }],
    ['whose size is beyond exact numbers', { ...good, size: 2n ** 60n }],
    ['whose time of change is a fraction', { ...good, mtime: 1.5 }],
    ['whose inode is beyond 64 bits', { ...good, inode: 1e300 }],
    ['with half a segment', { ...good, segments: [[Buffer.alloc(32)]] }],
    ['with pages but no depth', { ...good, pages: [] }],
    ['with an attribute whose value is text', { ...good, xattrs: [[Buffer.from('a'), 'b']] }],
  ];
  for (const [name, map] of wrong) {
    test(`an entry ${name} is damaged`, () => {
      assert.equal(errorOf(() => decodeTreePage(encodeMetadata(map)))?.code, 'metadata-damaged');
    });
  }

  test('fields of a newer program are left alone', () => {
    const [found] = decodeTreePage(encodeMetadata({ ...good, birthtime: 5, flags: ['immutable'] })).entries;
    assert.equal(found?.path, 'a');
  });

  test('a map without any content has none', () => {
    assert.equal(decodeContent({ path: 'x' }), undefined);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('inline', 'segments', 'pages', 'depth'), fc.anything()), (map) => {
        assert.match(errorOf(() => decodeContent(map))?.code ?? 'metadata-damaged', /^metadata-damaged$/);
      }),
      RUNS,
    );
  });
});

/** Comparable: buffers of any class become hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => [key, plain(each)]),
    );
  return value;
}
