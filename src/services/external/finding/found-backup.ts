import { createHash } from 'node:crypto';
import type { ExternalSnapshot } from '../../../core/ports/external-snapshots.ts';

/** A backup of another tool, and where it lies. */
export interface FoundBackup extends ExternalSnapshot {
  /** The key of its object or, in a restic repository, the id of its snapshot. */
  key: string;
}

/**
 * An id that says when the backup was made and stays as long as it is the same backup.
 * @param identity what tells it from others of the same second
 */
export function snapshotId(createdAt: Date, identity: string): string {
  const time = createdAt.toISOString().replace(/[-:]|\.\d+/g, '');
  return `external-${time}-${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`;
}

/** Newest first; of the same moment, in the order of their keys. */
export function newestFirst(found: readonly FoundBackup[]): FoundBackup[] {
  return found.toSorted(
    (a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.key < b.key ? -1 : Number(a.key > b.key)),
  );
}
