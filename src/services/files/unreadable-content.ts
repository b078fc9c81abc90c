import { HoldfastError } from '../../core/errors.ts';
import type { ChunkSource, PlannedRange } from '../../core/ports/repository.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { isDamage } from './base-entries.ts';
import { printable } from './byte-path.ts';

/** Reads a range; if a chunk of it is damaged, the error names the file. @param pathOf the file that a tag belongs to */
export async function readNaming(
  source: ChunkSource,
  range: PlannedRange,
  pathOf: (tag: number) => ByteString,
  take: (tag: number, bytes: Uint8Array) => void,
): Promise<void> {
  let taken = 0;
  try {
    await source.read(range, (tag, bytes) => {
      take(tag, bytes);
      taken++;
    });
  } catch (error) {
    throw namingFile(error, pathOf(range.tags[Math.min(taken, range.tags.length - 1)] ?? 0));
  }
}

/** An error that names the file which cannot be restored because of it; other errors than damage are returned as they are. */
export function namingFile(error: unknown, path: ByteString): unknown {
  if (!isDamage(error) || 'path' in error.details) return error;
  return new HoldfastError('damaged', error.code, `${printable(path)} cannot be restored: ${error.message}`, {
    cause: error,
    details: { ...error.details, path: printable(path) },
  });
}

/** For a content whose parts do not add up to what its file's entry says. */
export function contentDiffers(path: ByteString): HoldfastError {
  return new HoldfastError(
    'damaged',
    'content-length-differs',
    `${printable(path)} cannot be restored: its content is not as long as its entry says. Run \`holdfast verify\`.`,
    { details: { path: printable(path) } },
  );
}
