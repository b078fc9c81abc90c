import type { Snapshot } from './download.ts';
import type { DownloadFormat } from './download-format.ts';
import { HoldfastError } from './errors.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';

type OfTables = Pick<DeclaredVariant, 'isOfTables'>;

/**
 * What a masked or reduced copy can be, the default one first: PostgreSQL's archive is a program's to read, and nothing masks it. Of plain
 * bytes that may be a dump, a policy of tables masks the dump.
 */
export function variantFormats(
  { formats }: Pick<Snapshot, 'formats'>,
  { isOfTables }: OfTables,
): readonly DownloadFormat[] {
  const offered = formats.filter((format) => format !== 'custom');
  if (isOfTables !== true || offered[0] !== 'bytes' || !offered.includes('sql')) return offered;
  return ['sql', ...offered.filter((format) => format !== 'sql')];
}

/** @throws HoldfastError `format-not-offered` (unsupported) */
export function variantFormat(
  snapshot: Snapshot,
  declared: OfTables,
  wanted: DownloadFormat | undefined,
): DownloadFormat {
  const formats = variantFormats(snapshot, declared);
  if (wanted !== undefined && !formats.includes(wanted) && snapshot.formats.includes(wanted)) {
    const message = `Variants of ${snapshot.resourceId} cannot be had as ${wanted}, only the data as it was backed up (raw) can. There are: ${formats.join(', ')}.`;
    throw new HoldfastError('unsupported', 'format-not-offered', message, { details: { formats } });
  }
  return chosenFormat({ resourceId: snapshot.resourceId, formats }, wanted);
}

/** @throws HoldfastError `format-not-offered` (unsupported) */
export function chosenFormat(
  { formats, resourceId }: Pick<Snapshot, 'formats' | 'resourceId'>,
  wanted: DownloadFormat | undefined,
): DownloadFormat {
  const format = wanted ?? formats[0];
  if (format !== undefined && formats.includes(format)) return format;
  const message = `${resourceId} cannot be had as ${format}. There are: ${formats.join(', ')}.`;
  throw new HoldfastError('unsupported', 'format-not-offered', message, { details: { formats } });
}
