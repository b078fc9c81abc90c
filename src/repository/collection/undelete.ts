import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { EngineSnapshotWriter } from '../snapshot-writer.ts';
import { isValidSnapshot } from './collection-state.ts';
import { readTrashEntry, TRASH, type TrashEntry } from './trash.ts';

/**
 * Brings a forgotten backup back: a commit of its own, which stores again what collectors condemned since, and only then takes
 * the trash entry away. Until then the backup counts as forgotten, so that a crash on the way leaves it as it was.
 *
 * @throws HoldfastError `not-in-trash` (not-found), `backup-collected` (not-found)
 */
export async function undelete(parts: RepositoryParts, id: string): Promise<SnapshotRecord> {
  const entry = await readTrashEntry(parts, id);
  if (entry === undefined) {
    throw new HoldfastError(
      'not-found',
      'not-in-trash',
      `The trash does not hold ${id}. \`holdfast trash list\` shows what can be brought back.`,
      { details: { backupId: id } },
    );
  }
  // An interrupted forgetting leaves the snapshot beside its trash entry, whole and guarded by collectors.
  if (!(await isStanding(parts, id))) await commitAgain(parts, entry);
  await parts.storage.delete(`${TRASH}${id}`, { durable: true });
  return (await parts.snapshots.read(id)).record;
}

async function isStanding(parts: RepositoryParts, id: string): Promise<boolean> {
  const state = await parts.followCollection();
  try {
    return isValidSnapshot(state, id, (await parts.snapshots.readUnjudged(id)).base);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'snapshot-missing') return false;
    throw error;
  }
}

async function commitAgain(parts: RepositoryParts, entry: TrashEntry): Promise<void> {
  const { id } = entry;
  // What a broken-off attempt left: void, and the trash counts anyway.
  await parts.snapshots.withdraw(id);
  const { base } = await parts.followCollection();
  const writer = new EngineSnapshotWriter(parts, { snapshotId: id, base, encrypt: entry.record.backup.encrypted });
  try {
    await writer.adopt(entry.record);
  } catch (error) {
    await writer.abort();
    if (!(error instanceof HoldfastError) || !COLLECTED.has(error.code)) throw error;
    throw new HoldfastError(
      'not-found',
      'backup-collected',
      `${id} cannot be brought back: its time in the trash was over on ${entry.expiresAt}, and a collection has removed a part of it.`,
      { cause: error, details: { backupId: id } },
    );
  }
}

const COLLECTED = new Set(['collected-meanwhile', 'object-missing', 'chunk-missing']);
