import fc from 'fast-check';
import type { Backup } from '../../src/core/backup.ts';
import type { SnapshotRecord, SnapshotRoot } from '../../src/core/snapshot-record.ts';
import type { Content, EntryType, TreeEntry } from '../../src/core/tree-entry.ts';

/** Of these and of `bytes`, arbitraries of what Holdfast stores. */
export const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Uint8Array.from(bytes));
export const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => Uint8Array.from(each));
export const time = fc
  .date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
/** Names and paths are bytes, UTF-8 or not. */
export const byteString = fc
  .uint8Array({ minLength: 1, maxLength: 30 })
  .map((each) => Buffer.from(each).toString('latin1'));
const length = fc.oneof(fc.nat(), fc.maxSafeNat());

export const segments = fc.array(fc.record({ id: fc.oneof(id, fc.constant(null)), length: fc.nat() }), {
  maxLength: 5,
});
export const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ inline: bytes }),
  fc.record({ segments }),
  fc.record({ segments, missing: fc.constant([{ offset: 3, length: 4 }]) }),
  fc.record({ depth: fc.integer({ min: 1, max: 8 }), pages: segments }),
);

const types: EntryType[] = ['file', 'directory', 'symlink', 'fifo', 'character-device', 'block-device', 'socket'];
const nanoseconds = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
export const treeEntry: fc.Arbitrary<TreeEntry> = fc.record(
  {
    path: byteString,
    type: fc.constantFrom(...types),
    mode: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    modifiedAt: nanoseconds,
    user: fc.string({ unit: 'grapheme' }),
    group: fc.string(),
    changedAt: nanoseconds,
    inode: u64,
    device: u64,
    size: length,
    content,
    target: byteString,
    hardLinkGroup: fc.string(),
    deviceMajor: fc.nat(),
    deviceMinor: fc.nat(),
    extendedAttributes: fc.array(fc.record({ name: byteString, value: bytes }), { maxLength: 3 }),
  },
  { requiredKeys: ['path', 'type', 'mode', 'uid', 'gid', 'modifiedAt'] },
);

const backup: fc.Arbitrary<Backup> = fc.record(
  {
    id: fc.constant('backup-01KAJ2Q5Z7M9T5W8N3V6X1R4DF'),
    resourceId: fc.string(),
    resourceType: fc.string(),
    service: fc.constantFrom('files', 'stream', 'document'),
    type: fc.constantFrom('full', 'incremental', 'differential'),
    status: fc.constantFrom('completed', 'damaged'),
    contentKind: fc.constantFrom('document', 'stream', 'tree'),
    size: length,
    compressedSize: length,
    encrypted: fc.boolean(),
    checksum: fc.string(),
    parentId: fc.string(),
    expiresAt: time,
    chainLength: fc.nat(),
    metadata: fc.record({
      tags: fc.dictionary(fc.string({ maxLength: 8 }), fc.string(), { maxKeys: 3, noNullPrototype: true }),
    }),
    warnings: fc.array(fc.string(), { maxLength: 3 }),
    warningCount: fc.nat(),
    statistics: fc.record({
      sourceBytes: length,
      readBytes: length,
      newBytes: length,
      storedBytes: length,
      durationMilliseconds: fc.nat(),
    }),
    repositoryId: fc.string(),
    createdAt: time,
    completedAt: time,
    held: fc.boolean(),
  },
  { noNullPrototype: true },
) as fc.Arbitrary<Backup>;

const root: fc.Arbitrary<SnapshotRoot> = fc.oneof(
  fc.record({ kind: fc.constant('stream' as const), length, content }),
  fc.record({ kind: fc.constant('tree' as const), length, entries: fc.nat(), content }),
  fc.record({
    kind: fc.constant('tree' as const),
    length,
    entries: fc.nat(),
    content,
    lost: fc.array(fc.record({ from: byteString, until: byteString, entries: fc.nat() }, { requiredKeys: ['from'] }), {
      maxLength: 3,
    }),
  }),
);

export const snapshotRecord: fc.Arbitrary<SnapshotRecord> = fc.record({
  backup,
  root,
  serviceData: fc.record({ sources: fc.array(fc.string(), { maxLength: 3 }), host: fc.string() }),
});
