import type { Snapshot } from './download.ts';
import type { DownloadFormat } from './download-format.ts';
import { HoldfastError } from './errors.ts';

/** What a masked or reduced copy can be: PostgreSQL's archive is a program's to read, and nothing masks it. */
export function variantFormats({ formats }: Pick<Snapshot, 'formats'>): readonly DownloadFormat[] {
  return formats.filter((format) => format !== 'custom');
}

/** @throws HoldfastError `format-not-offered` (unsupported) */
export function variantFormat(snapshot: Snapshot, wanted: DownloadFormat | undefined): DownloadFormat {
  const formats = variantFormats(snapshot);
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
