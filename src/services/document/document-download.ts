import { z } from 'zod';
import { bytesInPieces, requireRange, sha256Of } from '../../core/content-download.ts';
import { requireChoice } from '../../core/download-choice.ts';
import type { DownloadContext, DownloadFormat, DownloadMaterial } from '../../core/ports/service-download.ts';

export const DOCUMENT_FORMATS: readonly DownloadFormat[] = ['json'];
const RECORDED = z.object({ documentBytes: z.number().int().nonnegative() });

/**
 * The canonical text (RFC 8785) of a document.
 * @param rebuild gives it put together from its chain and verified
 */
export async function downloadDocument(
  { backup, chain, choice }: DownloadContext,
  rebuild: () => Promise<Uint8Array>,
): Promise<DownloadMaterial> {
  requireChoice(choice, 'a document', DOCUMENT_FORMATS);
  const recorded = RECORDED.safeParse(chain.at(-1)?.reader.record.serviceData);
  const sha256 = sha256Of(backup.checksum);
  const length = recorded.data?.documentBytes;
  return {
    format: 'json',
    mediaType: 'application/json; charset=utf-8',
    fileExtension: '.json',
    ...(length === undefined ? {} : { length }),
    ...(sha256 === undefined ? {} : { sha256 }),
    isReproducible: true,
    acceptsRanges: length !== undefined,
    async *bytes(range) {
      if (range !== undefined && length !== undefined) requireRange(range, length);
      yield* bytesInPieces(await rebuild(), range);
    },
  };
}
