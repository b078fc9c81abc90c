import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { inLanes, STORAGE_LANES } from '../lanes.ts';
import { decodeMetadata, refuseNewerVersion } from '../metadata-encoding.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { openObject, SEALED_KIND } from '../sealed-object.ts';
import { decodeSnapshot } from '../snapshot-codec.ts';
import { backupIdOf, snapshotKey, TRASH } from '../snapshot-name.ts';

/** A forgotten commit of a backup that can still be brought back. */
export interface TrashEntry {
  /** Of the backup. */
  id: string;
  /** Its name below `snapshots/` and `trash/`. */
  commitName: string;
  /** RFC 3339 */
  forgottenAt: string;
  /** RFC 3339 */
  expiresAt: string;
  reason: string;
  record: SnapshotRecord;
}

const trashSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  forgottenAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  reason: z.string(),
  snapshot: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});

/**
 * Whether a forgotten commit's time in the trash is over. Where it was to stay for none, it is, whatever the clocks say: that of a
 * storage tells whole seconds, and may be behind the one of the process that forgot it.
 */
export function isOver({ forgottenAt, expiresAt }: TrashEntry, now: Date): boolean {
  return expiresAt === forgottenAt || Date.parse(expiresAt) <= now.getTime();
}

/**
 * All of the trash, oldest backup first.
 * @param id only what is of this backup
 * @throws HoldfastError `object-damaged`
 */
export async function readTrash(parts: RepositoryParts, id?: string): Promise<TrashEntry[]> {
  const listed = await parts.storage.list(TRASH, { sizes: false });
  const names = listed
    .map(({ key }) => key.slice(TRASH.length))
    .filter((name) => id === undefined || backupIdOf(name) === id)
    .sort();
  const entries = new Map<string, TrashEntry | undefined>();
  await inLanes(names, STORAGE_LANES, async (name) => {
    entries.set(name, await readTrashEntry(parts, name));
  });
  return names.flatMap((name) => entries.get(name) ?? []);
}

/** @returns undefined where the trash does not hold it (any more) */
export async function readTrashEntry(parts: RepositoryParts, commitName: string): Promise<TrashEntry | undefined> {
  const name = `${TRASH}${commitName}`;
  let bytes: Buffer;
  try {
    bytes = await parts.storage.get(name);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'object-missing') return undefined;
    throw error;
  }
  const decoded = decodeMetadata(openObject(parts.keyring(), bytes, { kind: SEALED_KIND.trash, name }));
  refuseNewerVersion(decoded, name);
  const parsed = trashSchema.safeParse(decoded);
  if (!parsed.success || parsed.data.id !== commitName)
    throw new HoldfastError('damaged', 'object-damaged', `${name} does not hold a forgotten backup.`, {
      cause: parsed.error,
      details: { object: name },
    });
  const { forgottenAt, expiresAt, reason, snapshot } = parsed.data;
  const inner = snapshotKey(commitName);
  const opened = openObject(parts.keyring(), snapshot, { kind: SEALED_KIND.snapshot, name: inner, key: name });
  const record = await parts.snapshots.updated(commitName, decodeSnapshot(opened, name).record);
  return { id: record.backup.id, commitName, forgottenAt, expiresAt, reason, record };
}
