import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { VerificationLedger } from '../../src/repository/check/verification-ledger.ts';
import { readCollectionState, readLastCollection } from '../../src/repository/collection/collection-state.ts';
import { sessionsAtWork } from '../../src/repository/collection/session-marks.ts';
import { readTrash } from '../../src/repository/collection/trash.ts';
import { ROW_LENGTH } from '../../src/repository/index-row.ts';
import { decodeIndexSegment, segmentOf } from '../../src/repository/index-segment.ts';
import { encodeMetadata } from '../../src/repository/metadata-encoding.ts';
import { KEYRING_SEAL, openObject, SEALED_KIND, sealObject, singleKey } from '../../src/repository/sealed-object.ts';
import { newSettings } from '../../src/repository/settings.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/repository/snapshot-codec.ts';
import { SnapshotStore } from '../../src/repository/snapshot-store.ts';
import { readKeyring } from '../../src/repository/stored-keyring.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { FuzzedDecoder } from './decoder.ts';
import { bytes, id, snapshotRecord, time } from './examples.ts';
import { KEYRING, MASTER_KEY, partsOf, REPOSITORY_ID, sealed, storageOf } from './sealing.ts';
import { mutateCbor } from './value-mutation.ts';

const BACKUP = 'backup-01KAJ2Q5Z7M9T5W8N3V6X1R4DF';
const SNAPSHOT = `snapshots/${BACKUP}`;
const SETTINGS = newSettings({}, new Date(0));
const CONFIG = Buffer.from('{}');
const PACKS = [1, 2, 3].map((byte) => Buffer.alloc(32, byte));
const snapshotPlain = fc.tuple(snapshotRecord, fc.nat()).map(([record, base]) => encodeSnapshot(record, base));
const [ANY_SNAPSHOT] = fc.sample(snapshotPlain, { seed: 1, numRuns: 1 });
const names = fc.array(fc.string(), { maxLength: 4 });
const ids = fc.array(id, { maxLength: 4 });

const pack = fc.record({
  idHex: id.map((each) => Buffer.from(each).toString('hex')),
  size: fc.nat(),
  header: fc.uint8Array({ minLength: 64, maxLength: 64 }).map((each) => Uint8Array.from(each)),
  frames: fc.array(
    fc.record({
      offset: fc.nat(),
      length: fc.nat(),
      chunks: fc.array(fc.record({ id, length: fc.nat(70_000) }), { maxLength: 4 }),
    }),
    { maxLength: 3 },
  ),
});

export const OBJECT_DECODERS: readonly FuzzedDecoder[] = [
  ...([0, 1, 2] as const).map(
    (cipher): FuzzedDecoder => ({
      name: `a sealed object under cipher ${cipher}`,
      form: 'bytes',
      examples: fc
        .tuple(bytes, fc.constantFrom('raw' as const, 'gzip' as const, 'zstd' as const), fc.nat(200))
        .map(([plain, name, times]) =>
          sealObject(KEYRING, Buffer.concat(Array(times).fill(plain)), {
            kind: SEALED_KIND.snapshot,
            name: SNAPSHOT,
            cipher,
            codec: { name, level: 3 },
          }),
        ),
      refuses: ['damaged', 'unsupported', 'wrong-key'],
      decode: (object) => openObject(KEYRING, object, { kind: SEALED_KIND.snapshot, name: SNAPSHOT }),
    }),
  ),
  {
    name: 'a snapshot',
    form: 'cbor',
    examples: snapshotPlain,
    decode: (plain) => {
      const { record, base } = decodeSnapshot(plain, SNAPSHOT);
      const again = decodeSnapshot(encodeSnapshot(record, base), SNAPSHOT);
      assert.deepEqual(again, { record, base }, 'it does not come back as it was read');
    },
  },
  {
    name: "an update of a backup's description",
    form: 'cbor',
    examples: fc
      .record({
        held: fc.boolean(),
        expiresAt: fc.option(time, { nil: undefined }),
        metadata: fc.record({ tags: fc.dictionary(fc.constantFrom('a', 'b'), fc.string(), { noNullPrototype: true }) }),
        status: fc.constantFrom('completed', 'damaged'),
      })
      .map((update) => encodeMetadata({ version: 1, ...update })),
    decode: (plain) => {
      const key = `updates/${BACKUP}/00000001`;
      const objects = {
        [SNAPSHOT]: sealed(SEALED_KIND.snapshot, SNAPSHOT, ANY_SNAPSHOT!),
        [key]: sealed(SEALED_KIND.update, key, plain),
      };
      return new SnapshotStore(storageOf(objects), () => KEYRING, SETTINGS).readUnjudged(BACKUP);
    },
  },
  {
    name: 'a trash entry',
    form: 'cbor',
    examples: fc.record({ forgottenAt: time, expiresAt: time, reason: fc.string() }).map((entry) =>
      encodeMetadata({
        version: 1,
        id: BACKUP,
        ...entry,
        snapshot: sealed(SEALED_KIND.snapshot, SNAPSHOT, ANY_SNAPSHOT!),
      }),
    ),
    decode: async (plain) => {
      const key = `trash/${BACKUP}`;
      for (const entry of await readTrash(partsOf({ [key]: sealed(SEALED_KIND.trash, key, plain) })))
        assert.ok(Number.isFinite(Date.parse(entry.expiresAt)), 'nobody can tell when it expires');
    },
  },
  {
    name: 'a condemned set',
    form: 'cbor',
    examples: ids.map((packs) => encodeMetadata({ version: 1, packs })),
    decode: (plain) => {
      const key = 'gc/0000000001/condemned';
      return readCollectionState(storageOf({ [key]: sealed(SEALED_KIND.condemned, key, plain) }), KEYRING);
    },
  },
  {
    name: 'a resolution',
    form: 'cbor',
    examples: fc
      .record({ outcome: fc.constantFrom('sealed', 'cancelled'), snapshots: names, kept: ids })
      .map((resolution) => encodeMetadata({ version: 1, ...resolution })),
    decode: (plain) => {
      const key = 'gc/0000000001/resolution';
      return readCollectionState(storageOf({ [key]: sealed(SEALED_KIND.resolution, key, plain) }), KEYRING);
    },
  },
  {
    name: 'what a finished collection removed',
    form: 'cbor',
    examples: fc
      .record({ completedAt: time, packsRemoved: fc.nat(), bytesFreed: fc.integer(), snapshotsExpired: fc.nat() })
      .map((done) => encodeMetadata({ version: 1, ...done })),
    decode: (plain) => {
      const key = 'gc/0000000001/done';
      return readLastCollection(storageOf({ [key]: sealed(SEALED_KIND.done, key, plain) }), KEYRING);
    },
  },
  {
    name: "a writer's mark",
    form: 'cbor',
    examples: fc
      .record({ host: fc.string(), process: fc.nat(), time })
      .map((mark) => encodeMetadata({ version: 1, ...mark })),
    refuses: [],
    decode: (plain) => {
      const key = `sessions/${BACKUP}`;
      return sessionsAtWork(partsOf({ [key]: sealed(SEALED_KIND.session, key, plain) }));
    },
  },
  {
    name: 'a keyring',
    form: 'cbor',
    examples: fc
      .record({
        idKey: id,
        chunkerKey: id,
        epochs: fc.array(fc.record({ epoch: fc.nat(255), dataKey: id, createdAt: time }), {
          minLength: 1,
          maxLength: 4,
        }),
      })
      .map((keyring) =>
        encodeMetadata({ version: 1, configHash: createHash('sha256').update(CONFIG).digest(), ...keyring }),
      ),
    decode: async (plain) => {
      const key = 'keyring/00000000';
      const object = sealObject(singleKey(REPOSITORY_ID, MASTER_KEY), plain, { ...KEYRING_SEAL, name: key });
      const keyring = await readKeyring(storageOf({ [key]: object }), REPOSITORY_ID, MASTER_KEY, 0, CONFIG);
      assert.equal(keyring.dataKey(keyring.currentEpoch).symmetricKeySize, 32);
      keyring.seal(createSecretKey(Buffer.alloc(32)), 1, CONFIG);
    },
  },
  {
    name: 'a segment of the verification ledger',
    form: 'cbor',
    examples: fc
      .array(
        fc.record({
          level: fc.constantFrom(0, 3, 4),
          time,
          packs: fc.subarray(PACKS).map((packs) => Uint8Array.from(Buffer.concat(packs))),
        }),
        { maxLength: 4 },
      )
      .map((runs) => encodeMetadata({ version: 1, runs })),
    decode: readLedger,
  },
  {
    name: 'an index segment',
    form: 'bytes',
    examples: fc
      .tuple(fc.array(pack, { maxLength: 4 }), fc.option(fc.string(), { nil: undefined }))
      .map(([packs, session]) => {
        const { packs: listed, rows } = segmentOf(packs);
        const header = {
          version: 1,
          rows: rows.length / ROW_LENGTH,
          packs: listed.map((each) => ({ ...each, idHex: undefined, id: Buffer.from(each.idHex, 'hex') })),
          session,
        };
        return joinedSegment(encodeMetadata(header), rows);
      }),
    mutate: mutateSegment,
    decode: (plain) => {
      const { packs, rows } = decodeIndexSegment(KEYRING, 'index/x', sealed(SEALED_KIND.index, '', plain));
      for (let at = 0; at < rows.length; at += ROW_LENGTH) assert.ok(rows.readUInt32BE(at + 32) < packs.length);
      for (const { idHex, header, size } of packs)
        assert.ok(idHex.length === 64 && header.length === 64 && Number.isSafeInteger(size) && size >= 0);
    },
  },
];

/** The ledger takes what it cannot read for lost, and says so. */
async function readLedger(plain: Uint8Array): Promise<void> {
  const storage = storageOf({ 'verify/x': sealed(SEALED_KIND.verification, '', plain) });
  const ledger = await VerificationLedger.read(storage, () => KEYRING);
  const [damage] = ledger.damaged;
  if (damage !== undefined) throw damage.error;
  const sizes = new Map(PACKS.map((each) => [each.toString('hex'), 1]));
  for (const level of [3, 4] as const) {
    const { verifiedFraction } = ledger.state(level, sizes);
    assert.ok(verifiedFraction >= 0 && verifiedFraction <= 1);
  }
  ledger.note('aa'.repeat(32), 3, new Date(0));
  await ledger.flush();
}

function joinedSegment(header: Uint8Array, rows: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, rows]);
}

function mutateSegment(random: SeededRandom, example: Buffer): Buffer {
  const end = 4 + example.readUInt32BE(0);
  const rows = Buffer.from(example.subarray(end));
  if (rows.length > 0 && random.chance(0.4)) rows[random.below(rows.length)] = random.below(256);
  return joinedSegment(mutateCbor(random, example.subarray(4, end)), rows);
}
