import { createHash } from 'node:crypto';
import { HoldfastError } from './errors.ts';
import type { SnapshotReader } from './ports/repository.ts';
import type { DownloadMaterial } from './ports/service-download.ts';
import type { Content } from './tree-entry.ts';

export type ByteRange = { offset: number; length: number };

export interface ContentDownload extends Pick<DownloadMaterial, 'format' | 'dialect' | 'mediaType' | 'fileExtension'> {
  reader: SnapshotReader;
  /** Default: the root's. */
  content?: Content;
  /** Bytes. */
  length: number;
  /** Hex, as recorded with the backup; absent where nothing is. */
  sha256?: string;
  /** What it is, for errors: `the bytes of backup-1`. */
  name: string;
  signal: AbortSignal;
}

/** One stored content as it is: its length and checksum are known, and it can be begun in the middle. */
export function contentDownload(download: ContentDownload): DownloadMaterial {
  const { format, dialect, mediaType, fileExtension, length, sha256 } = download;
  return {
    format,
    ...(dialect === undefined ? {} : { dialect }),
    mediaType,
    fileExtension,
    length,
    ...(sha256 === undefined ? {} : { sha256 }),
    isReproducible: true,
    acceptsRanges: true,
    bytes: (range, options) => verifiedBytes(download, range, options),
  };
}

/**
 * The last piece is held back until length and checksum were compared, so that nobody has all bytes of a content that is not right.
 * Of a part, each chunk is verified and the length is counted.
 */
export async function* verifiedBytes(
  { reader, content, length, sha256, name, signal }: Omit<ContentDownload, 'format' | 'mediaType' | 'fileExtension'>,
  range?: ByteRange,
  options: { isGivenBack?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  if (range !== undefined) requireRange(range, length);
  const expected = range?.length ?? length;
  const isWhole = expected === length;
  const hash = sha256 !== undefined && isWhole ? createHash('sha256') : undefined;
  let held: Uint8Array | undefined;
  let bytes = 0;
  for await (const piece of reader.read(content, isWhole ? undefined : range, options)) {
    if (signal.aborted) throw new HoldfastError('cancelled', 'operation-cancelled', 'The download was cancelled.');
    hash?.update(piece);
    bytes += piece.length;
    if (held !== undefined) yield held;
    held = piece;
  }
  if (bytes !== expected) throw differs(name, `${bytes} bytes instead of ${expected}`);
  const found = hash?.digest('hex');
  if (found !== undefined && found !== sha256) throw differs(name, `checksum ${found} instead of ${sha256}`);
  if (held !== undefined && held.length > 0) yield held;
}

/** Bytes at hand, in pieces, from wherever they are wanted. */
export async function* bytesInPieces(bytes: Uint8Array, range?: ByteRange): AsyncGenerator<Uint8Array> {
  if (range !== undefined) requireRange(range, bytes.length);
  const end = range === undefined ? bytes.length : range.offset + range.length;
  for (let at = range?.offset ?? 0; at < end; at += PIECE) yield bytes.subarray(at, Math.min(at + PIECE, end));
}

const PIECE = 1024 * 1024;

/** @throws HoldfastError `range-invalid` (invalid) */
export function requireRange({ offset, length }: ByteRange, whole: number): void {
  const isWithin =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= whole;
  if (isWithin) return;
  throw new HoldfastError(
    'invalid',
    'range-invalid',
    `Bytes ${offset} to ${offset + length - 1} were asked for of ${whole}. Ask for bytes that are there.`,
    { details: { offset, length, whole } },
  );
}

function differs(name: string, how: string): HoldfastError {
  const message = `What is read of ${name} is not what was backed up (${how}). Do not use it; take an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'checksum-differs', message);
}

/** The hex part of `sha256:…`, if it is that. */
export function sha256Of(checksum: string): string | undefined {
  return /^sha256:([0-9a-f]{64})$/.exec(checksum)?.[1];
}
