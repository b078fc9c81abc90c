import { requireChoice } from '../../core/download-choice.ts';
import type { DownloadChoice, DownloadFormat, DownloadMaterial } from '../../core/ports/service-download.ts';
import { type Content, offerOf } from './content-detection.ts';

/** Makes plain SQL of a PostgreSQL archive; `head` holds the archive's first bytes. */
export type SqlOfArchive = (
  source: AsyncIterable<Uint8Array>,
  head: Uint8Array,
  signal: AbortSignal,
) => AsyncIterable<Uint8Array>;

export interface PlainBytes {
  content: Content;
  /** The first bytes, which are among those of `bytes` too. */
  head(): Promise<Uint8Array>;
  bytes(): AsyncIterable<Uint8Array>;
  /** The bytes as they are, where more is known of them than their order. */
  download?(kind: DownloadKind): DownloadMaterial;
}

export type DownloadKind = Pick<DownloadMaterial, 'format' | 'dialect' | 'mediaType' | 'fileExtension'>;

const KINDS: Record<DownloadFormat, { mediaType: string; fileExtension: string }> = {
  sql: { mediaType: 'application/sql; charset=utf-8', fileExtension: '.sql' },
  custom: { mediaType: 'application/octet-stream', fileExtension: '.dump' },
  sqlite: { mediaType: 'application/vnd.sqlite3', fileExtension: '.sqlite' },
  tar: { mediaType: 'application/x-tar', fileExtension: '.tar' },
  zip: { mediaType: 'application/zip', fileExtension: '.zip' },
  json: { mediaType: 'application/json', fileExtension: '.json' },
  bytes: { mediaType: 'application/octet-stream', fileExtension: '.bin' },
};

/**
 * What a download of plain bytes is; without a choice, what they are best given as.
 * @throws HoldfastError `download-choice-invalid` (invalid): it is not that, or parts of it cannot be chosen
 */
export function materialOf(
  plain: PlainBytes,
  choice: DownloadChoice | undefined,
  { sqlOfArchive, signal }: { sqlOfArchive: SqlOfArchive; signal: AbortSignal },
): DownloadMaterial {
  const { content } = plain;
  const { formats, dialect } = offerOf(content);
  const { format, ...parts } = choice ?? { format: formats[0] ?? 'bytes' };
  requireChoice({ format, ...parts }, "another tool's backup", formats);
  const kind = { format, ...(format === 'sql' && dialect !== undefined ? { dialect } : {}), ...KINDS[format] };
  // pg_restore makes a new key for \restrict each time, and another version of it may write other SQL.
  if (content === 'postgresql-archive' && format === 'sql')
    return { ...kind, isReproducible: false, acceptsRanges: false, bytes: () => sqlFrom(plain, sqlOfArchive, signal) };
  if (plain.download !== undefined) return plain.download(kind);
  return { ...kind, isReproducible: true, acceptsRanges: false, bytes: () => plain.bytes() };
}

async function* sqlFrom(
  plain: PlainBytes,
  sqlOfArchive: SqlOfArchive,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield* sqlOfArchive(plain.bytes(), await plain.head(), signal);
}
