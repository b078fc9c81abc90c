import { HoldfastError } from '../../core/errors.ts';
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
  /** Where they are known: of the bytes as they are. */
  length?: number;
  sha256?: string;
}

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
 * @throws HoldfastError `format-not-offered` (unsupported), `download-choice-invalid` (invalid): parts of it cannot be chosen
 */
export function materialOf(
  plain: PlainBytes,
  choice: DownloadChoice | undefined,
  { sqlOfArchive, signal }: { sqlOfArchive: SqlOfArchive; signal: AbortSignal },
): DownloadMaterial {
  const { content, length, sha256 } = plain;
  const { formats, dialect } = offerOf(content);
  const format = choice?.format ?? formats[0] ?? 'bytes';
  if (!formats.includes(format)) throw notOffered(format, formats);
  if ((choice?.tables ?? choice?.paths ?? []).length > 0) throw wholeOnly();
  const common = {
    ...{ format, ...KINDS[format], isReproducible: true, acceptsRanges: false },
    ...(format === 'sql' && dialect !== undefined ? { dialect } : {}),
  };
  if (content === 'postgresql-archive' && format === 'sql')
    return { ...common, bytes: () => sqlFrom(plain, sqlOfArchive, signal) };
  return {
    ...common,
    ...(length === undefined ? {} : { length }),
    ...(sha256 === undefined ? {} : { sha256 }),
    bytes: () => plain.bytes(),
  };
}

async function* sqlFrom(
  plain: PlainBytes,
  sqlOfArchive: SqlOfArchive,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield* sqlOfArchive(plain.bytes(), await plain.head(), signal);
}

function notOffered(format: DownloadFormat, formats: readonly DownloadFormat[]): HoldfastError {
  const message = `This backup cannot be downloaded as ${format}. It can be had as ${formats.join(', ')}.`;
  return new HoldfastError('unsupported', 'format-not-offered', message, { details: { format, formats } });
}

function wholeOnly(): HoldfastError {
  const message = 'Backups of other tools are given whole: `tables` and `path` cannot be chosen of them.';
  return new HoldfastError('invalid', 'download-choice-invalid', message);
}
