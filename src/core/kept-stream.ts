import { performance } from 'node:perf_hooks';
import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { StoredStream, WrittenCounts } from './ports/repository.ts';

/** A stream that is kept beside backups and is none: a piece of a log, a variant. */
export interface KeptStream {
  id: string;
  repositoryId: string;
  stored: StoredStream;
  counts: WrittenCounts;
  begun: KeptStreamBeginning;
}

export interface KeptStreamBeginning {
  /** RFC 3339 */
  createdAt: string;
  /** Of `performance.now()`. */
  ticks: number;
}

/** Its row in the catalogue, which lists it like a backup. */
export function keptStreamRow(
  kind: Pick<Backup, 'resourceId' | 'resourceType' | 'log' | 'variant' | 'sidecar'>,
  { id, repositoryId, stored, counts, begun }: KeptStream,
  completedAt: Date,
): Backup {
  return {
    id,
    service: 'stream',
    type: 'full',
    status: 'completed',
    contentKind: 'stream',
    size: stored.length,
    compressedSize: Math.min(counts.compressedBytes, stored.length),
    encrypted: true,
    checksum: `sha256:${stored.sha256}`,
    chainLength: 0,
    metadata: { tags: {} },
    warnings: [],
    warningCount: 0,
    statistics: {
      sourceBytes: stored.length,
      readBytes: stored.length,
      newBytes: counts.newBytes,
      storedBytes: counts.storedBytes,
      durationMilliseconds: Math.round(performance.now() - begun.ticks),
    },
    repositoryId,
    createdAt: begun.createdAt,
    completedAt: completedAt.toISOString(),
    held: false,
    ...kind,
  };
}

/** From the catalogue and from its repository, where it may be gone already. */
export async function forgetKeptStream(
  { catalogue, repositories }: ManagerContext,
  { id, repositoryId }: Pick<Backup, 'id' | 'repositoryId'>,
  options: { trashDays: number; reason: string },
): Promise<void> {
  await catalogue.backups.delete(id);
  try {
    await repositories.get(repositoryId).forgetSnapshot(id, options);
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'snapshot-missing')) throw error;
  }
}
