import { type ErrorKind, HoldfastError } from './errors.ts';
import type { SnapshotReader } from './ports/repository.ts';
import type { BackupContext } from './ports/service.ts';
import type { Content, ContentSegment } from './tree-entry.ts';

/**
 * The chunks of a content of the resource's latest backup, for `WriteStreamOptions.expected`; as many as can be read.
 *
 * @param find which content; undefined where that backup has none like it
 */
export async function* earlierContent(
  { earlier }: Pick<BackupContext, 'earlier'>,
  find: (reader: SnapshotReader) => Promise<Content | undefined>,
): AsyncGenerator<ContentSegment> {
  try {
    const reader = await earlier?.();
    const content = reader === undefined ? undefined : await find(reader);
    if (reader !== undefined && content !== undefined) yield* reader.segments(content, { despiteDamage: true });
  } catch (error) {
    // Nothing is known then of what follows. That the backup is damaged is for checks to tell.
    if (!isUnreadable(error)) throw error;
  }
}

/** Whether an error says that a backup, or a part of it, cannot be read, rather than that the storage does not answer. */
export function isUnreadable(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && UNREADABLE.has(error.kind);
}

/** One wrong byte is enough for an object to seem to be a newer version's, or sealed with a key that nobody has. */
const UNREADABLE: ReadonlySet<ErrorKind> = new Set(['damaged', 'not-found', 'unsupported', 'wrong-key', 'denied']);
