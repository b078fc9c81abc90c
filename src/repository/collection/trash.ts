import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { decodeMetadata, refuseNewerVersion } from '../metadata-encoding.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { openObject, SEALED_KIND } from '../sealed-object.ts';
import { decodeSnapshot, snapshotName } from '../snapshot-store.ts';

/** A forgotten backup that can still be brought back. */
export interface TrashEntry {
  id: string;
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

export const TRASH = 'trash/';

/** All of the trash, oldest backup first. @throws HoldfastError `object-damaged` */
export async function readTrash(parts: RepositoryParts): Promise<TrashEntry[]> {
  const entries: TrashEntry[] = [];
  const ids = (await parts.storage.list(TRASH, { sizes: false })).map((object) => object.key.slice(TRASH.length));
  for (const id of ids.sort()) {
    const entry = await readTrashEntry(parts, id);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** @returns undefined where the trash does not hold it */
export async function readTrashEntry(parts: RepositoryParts, id: string): Promise<TrashEntry | undefined> {
  const name = `${TRASH}${id}`;
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
  if (!parsed.success || parsed.data.id !== id)
    throw new HoldfastError('damaged', 'object-damaged', `${name} does not hold a forgotten backup.`, {
      cause: parsed.error,
      details: { object: name },
    });
  const { forgottenAt, expiresAt, reason, snapshot } = parsed.data;
  const inner = snapshotName(id);
  const opened = openObject(parts.keyring(), snapshot, { kind: SEALED_KIND.snapshot, name: inner, key: name });
  return { id, forgottenAt, expiresAt, reason, record: decodeSnapshot(opened, name).record };
}
