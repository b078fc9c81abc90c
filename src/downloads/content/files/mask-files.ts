import type { DownloadFormat } from '../../../core/download-format.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { filePlanOf, filePlans } from './file-masker.ts';
import { type ArchiveOptions, maskArchive } from './mask-archive.ts';
import { maskFile } from './mask-file.ts';

/** What a policy calls the bytes of a stream, which have no name of their own. */
export const STREAM = 'content';

/**
 * The variant of a tree of files (`tar`) or of one stream (`bytes`).
 * @throws as `maskArchive` and `maskFile` do
 */
export function maskFiles(
  bytes: AsyncIterable<Uint8Array>,
  format: DownloadFormat,
  run: MaskingRun,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  if (format === 'tar') return maskArchive(bytes, run, options);
  return maskFile(bytes, filePlanOf(filePlans(run), STREAM), STREAM, run);
}
