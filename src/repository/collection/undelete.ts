import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { laterCommitName, snapshotKey, TRASH } from '../snapshot-name.ts';
import { EngineSnapshotWriter } from '../snapshot-writer.ts';
import { readTrash, type TrashEntry } from './trash.ts';

/**
 * Brings a forgotten backup back: a commit of its own, which stores again what collectors condemned since, and only then takes
 * the trash entries away. Its name is new, so that a forgetting that is still under way, or a collector that decided about an
 * earlier commit, takes nothing away of it.
 *
 * @throws HoldfastError `not-in-trash` (not-found), `backup-collected` (not-found)
 */
export async function undelete(parts: RepositoryParts, id: string): Promise<SnapshotRecord> {
  const entries = (await readTrash(parts, id)).toSorted((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt));
  const latest = entries.at(-1);
  if (latest === undefined) {
    throw new HoldfastError(
      'not-found',
      'not-in-trash',
      `The trash does not hold ${id}. \`holdfast trash list\` shows what can be brought back.`,
      { details: { backupId: id } },
    );
  }
  const record = await commitAgain(parts, latest);
  for (const { commitName } of entries) {
    // Left by a forgetting that was interrupted: without its trash entry it would count again, beside the new one.
    await parts.storage.delete(snapshotKey(commitName), { durable: true });
    await parts.storage.delete(`${TRASH}${commitName}`, { durable: true });
    for (const { key } of await parts.storage.list(`updates/${commitName}/`, { sizes: false }))
      await parts.storage.delete(key);
  }
  return record;
}

async function commitAgain(parts: RepositoryParts, { id, record, expiresAt }: TrashEntry): Promise<SnapshotRecord> {
  const { base } = await parts.followCollection();
  const writer = new EngineSnapshotWriter(parts, {
    snapshotId: id,
    commitName: laterCommitName(id),
    base,
    encrypt: record.backup.encrypted,
  });
  try {
    return await writer.adopt(record);
  } catch (error) {
    await writer.abort();
    if (!(error instanceof HoldfastError) || !COLLECTED.has(error.code)) throw error;
    throw new HoldfastError(
      'not-found',
      'backup-collected',
      `${id} cannot be brought back: its time in the trash was over on ${expiresAt}, and a collection has removed a part of it.`,
      { cause: error, details: { backupId: id } },
    );
  }
}

const COLLECTED = new Set(['collected-meanwhile', 'object-missing', 'chunk-missing']);
