import { HoldfastError } from '../../core/errors.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import { fileExists } from './file-writer.ts';
import type { Conflict } from './restore-options.ts';
import type { RestoreAction } from './restore-result.ts';
import { statusAt } from './restore-target.ts';

/**
 * What to do about a file, link or special file whose place may be taken. `conflict` is what stops a restore; a dry run lists it.
 *
 * @param place where it goes; absolute byte string
 */
export function decide(place: ByteString, entry: Pick<TreeEntry, 'modifiedAt'>, conflict: Conflict): RestoreAction {
  const existing = statusAt(place);
  if (existing === undefined) return 'create';
  if (conflict === 'skip' || (conflict === 'newer' && existing.mtimeNs >= entry.modifiedAt)) return 'skip';
  return conflict === 'fail' || existing.isDirectory() ? 'conflict' : 'overwrite';
}

/** The error for the decision `conflict`. */
export function conflictAt(place: ByteString, entry: Pick<TreeEntry, 'type'>, conflict: Conflict): HoldfastError {
  if (conflict === 'fail') return fileExists(place);
  return new HoldfastError(
    'conflict',
    'folder-in-the-way',
    `${printable(place.slice(1))} is a folder, where the backup has a ${entry.type}. Move it away, or restore into an empty folder.`,
    { details: { path: printable(place.slice(1)) } },
  );
}
