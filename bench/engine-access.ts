import { join } from 'node:path';
import type { BackupType } from '../src/core/backup.ts';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { Repository, SnapshotWriter, WrittenCounts } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import type { SnapshotRecord, SnapshotRoot } from '../src/core/snapshot-record.ts';
import { createKeyFileProvider } from '../src/keys/keyfile/keyfile-provider.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';

/** The repository of a data folder that the command line made, opened in this process: many backups without many starts. */
export interface EngineAccess {
  repository: Repository;
  storage: Storage;
  provider: KeyProvider;
}

export async function openEngine(dataFolder: string): Promise<EngineAccess> {
  const storage = await openStorage({ folder: join(dataFolder, 'repository') });
  const provider = createKeyFileProvider(join(dataFolder, 'keys', 'holdfast.key'));
  return { repository: await openRepository({ storage, providers: [provider] }), storage, provider };
}

export interface MadeContent {
  type: BackupType;
  size: number;
  checksum: string;
  root: SnapshotRoot;
  serviceData: Readonly<Record<string, unknown>>;
}

/** The record of a backup as the manager writes it, as far as the engine looks at it. */
export function recordOf(writer: SnapshotWriter, made: MadeContent): (counts: WrittenCounts) => SnapshotRecord {
  const { type, size, checksum, root, serviceData } = made;
  const now = new Date().toISOString();
  const service = root.kind === 'tree' ? 'files' : 'stream';
  return ({ compressedBytes, newBytes, storedBytes }) => ({
    backup: {
      id: writer.snapshotId,
      resourceId: 'bench',
      resourceType: service,
      service,
      type,
      status: 'completed',
      contentKind: root.kind,
      size,
      compressedSize: compressedBytes,
      encrypted: true,
      checksum,
      chainLength: 0,
      metadata: { tags: {} },
      warnings: [],
      warningCount: 0,
      statistics: { sourceBytes: size, readBytes: size, newBytes, storedBytes, durationMilliseconds: 0 },
      repositoryId: 'default',
      createdAt: now,
      completedAt: now,
      held: false,
    },
    root,
    serviceData,
  });
}
