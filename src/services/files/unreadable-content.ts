import { HoldfastError } from '../../core/errors.ts';
import type { ByteString, MissingRange } from '../../core/tree-entry.ts';
import { isDamage } from './base-entries.ts';
import { printable } from './byte-path.ts';

/**
 * An error that names the file which cannot be restored because of it, and the bytes of it if they are known; other errors than
 * damage are returned as they are.
 */
export function namingFile(error: unknown, path: ByteString, range?: MissingRange): unknown {
  if (!isDamage(error) || 'path' in error.details) return error;
  const bytes = range === undefined ? '' : `bytes ${range.offset} to ${range.offset + range.length - 1}: `;
  return new HoldfastError('damaged', error.code, `${printable(path)} cannot be restored: ${bytes}${error.message}`, {
    cause: error,
    details: { ...error.details, ...range, path: printable(path) },
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

/** For bytes that the backup itself records as lost, or whose list cannot be read. */
export function contentMissing(path: ByteString): HoldfastError {
  return new HoldfastError('damaged', 'content-missing', 'These bytes are lost.', {
    details: { path: printable(path) },
  });
}
