import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Backup } from '../src/core/backup.ts';
import { keptStreamRow } from '../src/core/kept-stream.ts';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { Repository, SnapshotWriter, StoredStream, WrittenCounts } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import type { SnapshotRecord } from '../src/core/snapshot-record.ts';
import { initialiseRepository } from '../src/repository/initialise-repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import type { SettingsChoice } from '../src/repository/settings.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';

/** A repository in a temporary folder, with small packs so that little data makes many. */
export class TemporaryRepository {
  readonly folder: string;
  readonly storage: Storage;
  readonly provider: KeyProvider;
  repository: Repository;

  private constructor(folder: string, storage: Storage, provider: KeyProvider, repository: Repository) {
    this.folder = folder;
    this.storage = storage;
    this.provider = provider;
    this.repository = repository;
  }

  static async create(settings: SettingsChoice = SMALL, folder?: string): Promise<TemporaryRepository> {
    const where = folder ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-repository-')));
    const storage = await openStorage({ folder: where });
    const provider = keyOf(randomBytes(32));
    await initialiseRepository({ storage, provider, label: 'test', settings });
    return new TemporaryRepository(
      where,
      storage,
      provider,
      await openRepository({ storage, providers: [provider], workers: 2 }),
    );
  }

  /** The same folder as another process would open it. */
  async openAgain(): Promise<Repository> {
    return openRepository({
      storage: await openStorage({ folder: this.folder }),
      providers: [this.provider],
      workers: 1,
    });
  }

  async remove(): Promise<void> {
    await this.repository.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export const SMALL: SettingsChoice = {
  chunker: { algorithm: 'fastcdc-k1', minimum: 4096, average: 16_384, maximum: 65_536 },
  pages: { minimum: 1024, average: 4096, maximum: 16_384 },
  packs: { data: 262_144, metadata: 65_536 },
  frameTarget: 8192,
  inlineContentLimit: 1024,
};

/** A provider whose wrapping key is simply known. */
export function keyOf(key: Uint8Array): KeyProvider {
  return {
    kind: 'known',
    createWrappingKey: async () => ({ parameters: {}, wrappingKey: key }),
    wrappingKeyFor: async (slot) => (slot.kind === 'known' ? key : undefined),
  };
}

export async function* pieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function backUpBytes(
  repository: Repository,
  bytes: Uint8Array,
  options: { encrypt?: boolean } = {},
): Promise<Backup> {
  const writer = await repository.beginSnapshot({ encrypt: options.encrypt ?? true });
  const stored = await writer.writeStream(pieces(bytes));
  return (await writer.commit(recordOf(writer, stored, options.encrypt ?? true))).backup;
}

export async function readBytes(repository: Repository, id: string): Promise<Buffer> {
  const reader = await repository.openSnapshot(id);
  try {
    const parts: Buffer[] = [];
    for await (const part of reader.read()) parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  } finally {
    await reader.close();
  }
}

export function recordOf(
  writer: SnapshotWriter,
  stored: StoredStream,
  encrypted = true,
): (counts: WrittenCounts) => SnapshotRecord {
  const now = new Date();
  const begun = { createdAt: now.toISOString(), ticks: performance.now() };
  const kind = { resourceId: 'resource', resourceType: 'stream' };
  const { snapshotId: id } = writer;
  return (counts) => ({
    backup: { ...keptStreamRow(kind, { id, repositoryId: 'default', stored, counts, begun }, now), encrypted },
    root: stored.root,
    serviceData: {},
  });
}
