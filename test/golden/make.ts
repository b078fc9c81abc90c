/**
 * Makes the golden repositories beside this file. They are made once for each version of the format and then kept as they are:
 * newer programs must read them. Run it only for a new version: `node test/golden/make.ts`. It refuses to replace one.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Backup } from '../../src/core/backup.ts';
import type { KeyProvider } from '../../src/core/ports/key-provider.ts';
import type { Repository, SnapshotWriter } from '../../src/core/ports/repository.ts';
import type { Storage } from '../../src/core/ports/storage.ts';
import type { SnapshotRecord, SnapshotRoot } from '../../src/core/snapshot-record.ts';
import { createKeyFile } from '../../src/keys/keyfile/key-file.ts';
import { createKeyFileProvider } from '../../src/keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from '../../src/keys/passphrase/passphrase-provider.ts';
import { roundName } from '../../src/repository/collection/collection-state.ts';
import { encodeMetadata } from '../../src/repository/metadata-encoding.ts';
import { initialiseRepository } from '../../src/repository/initialise-repository.ts';
import { openKeys, openRepository } from '../../src/repository/open-repository.ts';
import { SEALED_KIND, sealObject } from '../../src/repository/sealed-object.ts';
import { decodeSettings, type SettingsChoice } from '../../src/repository/settings.ts';
import { SnapshotStore } from '../../src/repository/snapshot-store.ts';
import { openStorage } from '../../src/storage/local/local-storage.ts';
import { dumpLike, pseudoRandom, sha256 } from './inputs.ts';
import { type ExpectedEntry, writeTree } from './tree.ts';

export interface ExpectedSnapshot {
  id: string;
  /** what it is there to show */
  shows: string;
  kind: 'stream' | 'tree';
  encrypted: boolean;
  length: number;
  /** of a stream's bytes */
  sha256?: string;
  entries?: ExpectedEntry[];
  held?: boolean;
  expiresAt?: string;
}

export interface Expected {
  snapshots: ExpectedSnapshot[];
  /** in the trash, with the SHA-256 of its bytes */
  forgotten?: { id: string; sha256: string };
  /** ids of snapshots that do not count */
  void: string[];
  keyEpoch: number;
}

const FOLDER = import.meta.dirname;
const PASSPHRASE = 'ﬁve ångström of Unicode';
const SMALL = {
  chunker: { algorithm: 'fastcdc-k1', minimum: 1024, average: 4096, maximum: 16_384 },
  pages: { minimum: 512, average: 1024, maximum: 4096 },
  packs: { data: 65_536, metadata: 65_536 },
  frameTarget: 4096,
  inlineContentLimit: 1024,
  inlineFileLimit: 256,
} as const satisfies SettingsChoice;

let ticks = Date.parse('2026-11-21T03:00:00.000Z');
const clock = { now: (): Date => new Date((ticks += 1000)) };

class Maker {
  readonly expected: Expected = { snapshots: [], void: [], keyEpoch: 0 };
  readonly storage: Storage;
  readonly providers: readonly KeyProvider[];
  readonly repository: Repository;

  private constructor(storage: Storage, providers: readonly KeyProvider[], repository: Repository) {
    this.storage = storage;
    this.providers = providers;
    this.repository = repository;
  }

  static async create(name: string, settings: SettingsChoice): Promise<Maker> {
    const folder = path.join(FOLDER, name);
    if (existsSync(folder)) throw new Error(`${folder} is there already. Golden repositories are not replaced.`);
    const keyFile = `${folder}.key`;
    await rm(keyFile, { force: true });
    await createKeyFile(keyFile);
    await writeFile(`${folder}.passphrase`, `${PASSPHRASE}\n`);
    const providers = [
      createKeyFileProvider(keyFile),
      createPassphraseProvider(async () => PASSPHRASE, { memoryKiB: 64, passes: 2, parallelism: 1 }),
    ];
    const storage = await openStorage({ folder });
    await initialiseRepository({
      storage,
      provider: providers[0] as KeyProvider,
      label: 'golden key file',
      settings,
      clock,
    });
    const repository = await openRepository({ storage, providers, workers: 1, clock });
    await repository.keys.add(providers[1] as KeyProvider, 'golden „passphrase“\n"two"');
    return new Maker(storage, providers, repository);
  }

  async stream(shows: string, bytes: Buffer, options: { encrypt?: boolean; service?: string } = {}): Promise<string> {
    const encrypted = options.encrypt ?? true;
    const writer = await this.repository.beginSnapshot({ encrypt: encrypted });
    const stored = await writer.writeStream(one(bytes));
    const service = options.service ?? 'stream';
    const backup = describe(writer, { service, size: bytes.length, encrypted, checksum: `sha256:${stored.sha256}` });
    const serviceData = service === 'document' ? { stored: 'document', documentBytes: bytes.length } : {};
    await writer.commit(() => ({ backup, root: stored.root, serviceData }));
    this.expected.snapshots.push({
      id: writer.snapshotId,
      shows,
      kind: 'stream',
      encrypted,
      length: bytes.length,
      sha256: sha256(bytes),
    });
    return writer.snapshotId;
  }

  async tree(shows: string): Promise<void> {
    const writer = await this.repository.beginSnapshot({ encrypt: true });
    const { root, expected, size } = await writeTree(writer, SMALL.inlineFileLimit);
    const backup = describe(writer, { service: 'files', size, encrypted: true, checksum: `sha256:${rootHash(root)}` });
    const serviceData = { paths: ['/srv'], commonParent: '/', host: 'golden', platform: 'linux', unreadable: 0 };
    await writer.commit(() => ({ backup, root, serviceData }));
    this.expected.snapshots.push({
      id: writer.snapshotId,
      shows,
      kind: 'tree',
      encrypted: true,
      length: root.length,
      entries: expected,
    });
  }

  async finish(name: string): Promise<void> {
    this.expected.keyEpoch = (await this.repository.statistics()).keyEpoch;
    await this.repository.close();
    for (const folder of ['tmp', 'sessions', 'probe'])
      if (existsSync(path.join(FOLDER, name, folder))) await rmdir(path.join(FOLDER, name, folder));
    await writeFile(path.join(FOLDER, `${name}.json`), `${JSON.stringify(this.expected, null, 1)}\n`);
  }
}

async function makeFull(): Promise<void> {
  const name = 'repository-v1';
  const maker = await Maker.create(name, { ...SMALL, cipher: 'aes-256-gcm', codec: { name: 'zstd', level: 3 } });
  await maker.stream('a document that lies in its snapshot', Buffer.from('{"users":[{"id":1,"name":"Ada"}]}'), {
    service: 'document',
  });
  const mixed = Buffer.concat([pseudoRandom('stream', 60_000), dumpLike('stream', 40_000)]);
  const updated = await maker.stream('a stream of several chunks; its hold and expiry come from an update', mixed);
  const plain = Buffer.concat([mixed.subarray(0, 20_000), dumpLike('plain', 25_000)]);
  await maker.stream('a stream without encryption; part of it lies in an encrypted pack', plain, { encrypt: false });
  await maker.stream('an encrypted stream, part of which lies in the clear too', plain.subarray(10_000));
  await maker.stream('an inline stream without encryption', Buffer.from('in the clear'), { encrypt: false });
  await maker.tree('a tree with one of everything');
  const forgotten = await maker.stream('forgotten', pseudoRandom('forgotten', 9_000));
  await maker.repository.keys.rotate(maker.providers, { dropOthers: false });
  const late = await maker.stream(
    'written with the second key epoch',
    Buffer.concat([mixed.subarray(0, 30_000), pseudoRandom('late', 20_000)]),
  );
  await maker.repository.updateSnapshot(updated, (backup) => ({ ...backup, held: true }));
  await maker.repository.updateSnapshot(updated, (backup) => ({
    ...backup,
    expiresAt: '2036-11-21T00:00:00.000Z',
    metadata: { tags: { golden: 'yes' } },
  }));
  Object.assign(maker.expected.snapshots.find(({ id }) => id === updated) as ExpectedSnapshot, {
    held: true,
    expiresAt: '2036-11-21T00:00:00.000Z',
  });
  await maker.repository.forgetSnapshot(forgotten, { trashDays: 7, reason: 'to have one in the trash' });
  maker.expected.forgotten = { id: forgotten, sha256: sha256(pseudoRandom('forgotten', 9_000)) };
  maker.expected.snapshots = maker.expected.snapshots.filter(({ id }) => id !== forgotten);
  await addRounds(maker, late);
  await maker.stream('written after a collection', pseudoRandom('after', 5_000));
  await maker.finish(name);
}

/** Rounds that a collector would have written: one cancelled, one sealed; and a snapshot that came too late for it. */
async function addRounds(maker: Maker, copied: string): Promise<void> {
  const { storage, providers, expected } = maker;
  const config = await storage.get('config');
  const settings = decodeSettings(config);
  const { keyring } = await openKeys(storage, settings, config, providers);
  const put = async (round: number, part: 'condemned' | 'resolution' | 'done', content: object): Promise<void> => {
    const name = roundName(round, part);
    const bytes = sealObject(keyring, encodeMetadata({ version: 1, ...content }), {
      kind: SEALED_KIND[part],
      name,
      cipher: 1,
      codec: { name: 'raw', level: 0 },
    });
    await storage.putNew(name, bytes);
  };
  const gone = pseudoRandom('a pack that is gone', 32);
  await put(1, 'condemned', { packs: [gone] });
  await put(1, 'resolution', { outcome: 'cancelled', snapshots: [], kept: [] });
  await put(2, 'condemned', { packs: [gone] });
  await put(2, 'resolution', { outcome: 'sealed', snapshots: expected.snapshots.map(({ id }) => id), kept: [] });
  await put(2, 'done', {});
  const store = new SnapshotStore(storage, () => keyring, settings);
  const { record } = await store.read(copied);
  const id = `${copied.slice(0, -4)}VOID`;
  await store.create({ ...record, backup: { ...record.backup, id } }, 1, id);
  expected.void.push(id);
}

async function makeWithCbc(): Promise<void> {
  const name = 'repository-v1-cbc';
  const maker = await Maker.create(name, { ...SMALL, cipher: 'aes-256-cbc', codec: { name: 'gzip', level: 6 } });
  await maker.stream('a document that lies in its snapshot', Buffer.from('{"cipher":"cbc"}'), { service: 'document' });
  await maker.stream(
    'a stream of several chunks',
    Buffer.concat([dumpLike('cbc', 30_000), pseudoRandom('cbc', 10_000)]),
  );
  await maker.stream('a stream without encryption', dumpLike('cbc plain', 10_000), { encrypt: false });
  await maker.finish(name);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function rootHash({ content }: SnapshotRoot): string {
  if ('inline' in content) return sha256(content.inline);
  const list = 'segments' in content ? content.segments : content.pages;
  return sha256(Buffer.concat(list.flatMap(({ id }) => (id === null ? [] : [id]))));
}

function describe(
  writer: SnapshotWriter,
  made: { service: string; size: number; encrypted: boolean; checksum: string },
): SnapshotRecord['backup'] {
  const now = clock.now().toISOString();
  const counts = writer.counts();
  const backup: Backup = {
    id: writer.snapshotId,
    resourceId: `golden-${made.service}`,
    resourceType: made.service,
    service: made.service,
    type: 'full',
    status: 'completed',
    contentKind: made.service === 'files' ? 'tree' : made.service === 'document' ? 'document' : 'stream',
    size: made.size,
    compressedSize: counts.compressedBytes,
    encrypted: made.encrypted,
    checksum: made.checksum,
    chainLength: 0,
    metadata: { tags: { made: 'golden' }, source: 'test/golden/make.ts' },
    warnings: ['a warning'],
    warningCount: 1,
    statistics: {
      sourceBytes: made.size,
      readBytes: made.size,
      newBytes: counts.newBytes,
      storedBytes: counts.storedBytes,
      durationMilliseconds: 1.5,
    },
    repositoryId: 'golden',
    createdAt: now,
    completedAt: now,
    held: false,
  };
  return backup;
}

await makeFull();
await makeWithCbc();
for (const name of (await readdir(FOLDER)).filter((each) => each.endsWith('.json')))
  process.stdout.write(
    `${name}: ${JSON.parse(await readFile(path.join(FOLDER, name), 'utf8')).snapshots.length} snapshots\n`,
  );
