import { HoldfastError } from '../../../core/errors.ts';
import type { ByteString } from '../../../core/tree-entry.ts';

/** @param what is wrong with the archive, within a sentence */
export function archiveUnreadable(what: string, cause?: unknown): HoldfastError {
  const message = `The archive cannot be made into a variant: ${what}. Nothing more is given of it.`;
  return new HoldfastError('damaged', 'variant-content-unreadable', message, { cause });
}

/** @param what is wrong with a file, within a sentence, without a value */
export function fileFailed(path: string, what: string): HoldfastError {
  const message = `The file ${JSON.stringify(path)} ${what} Nothing more is given of the variant.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details: { file: path } });
}

/** A byte string for people and patterns: UTF-8 where it is that. */
export function shownPath(path: ByteString): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
