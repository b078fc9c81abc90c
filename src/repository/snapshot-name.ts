import { randomBytes } from 'node:crypto';

export const SNAPSHOTS = 'snapshots/';
export const TRASH = 'trash/';

/** A backup's first commit is named as the backup; each later one has a name of its own: `<id>.<16 hexadecimal digits>`. */
const LATER_COMMIT = /\.[0-9a-f]{16}$/;

/**
 * A name for a repeated commit of a backup, or for bringing it back. No name is ever used twice: what was decided about a snapshot
 * object, by a collector that was suspended since or by a forgetting that is under way, must never hit another one.
 */
export function laterCommitName(id: string): string {
  return `${id}.${randomBytes(8).toString('hex')}`;
}

/** Id of the backup that a snapshot object, by its name below `snapshots/` or `trash/`, is of. */
export function backupIdOf(commitName: string): string {
  return commitName.replace(LATER_COMMIT, '');
}

/** Key of a snapshot object in the storage. */
export function snapshotKey(commitName: string): string {
  return `${SNAPSHOTS}${commitName}`;
}
