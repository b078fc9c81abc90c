import { contentDownload, sha256Of } from '../../core/content-download.ts';
import { choiceInvalid, requireChoice } from '../../core/download-choice.ts';
import { DUMP_BEGINNING } from '../../core/dump-dialect.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ChainLink } from '../../core/ports/service.ts';
import type {
  DownloadContext,
  DownloadFormat,
  DownloadMaterial,
  SqlDialect,
} from '../../core/ports/service-download.ts';
import { streamDialect } from './stream-beginning.ts';

export const STREAM_FORMATS: readonly DownloadFormat[] = ['bytes', 'sql'];

/** The bytes as they were posted, or the same as SQL where they begin as a dump does. */
export async function downloadStream({ chain, choice, signal }: DownloadContext): Promise<DownloadMaterial> {
  requireChoice(choice, 'a stream', STREAM_FORMATS);
  const link = chain.at(-1);
  if (link === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
  const { backup, reader } = link;
  const sha256 = sha256Of(backup.checksum);
  const what =
    choice.format === 'sql'
      ? {
          format: 'sql' as const,
          dialect: await dialectOf(link),
          mediaType: 'application/sql; charset=utf-8',
          fileExtension: '.sql',
        }
      : { format: 'bytes' as const, mediaType: 'application/octet-stream', fileExtension: '.bin' };
  signal.throwIfAborted();
  return contentDownload({
    ...what,
    reader,
    length: backup.size,
    ...(sha256 === undefined ? {} : { sha256 }),
    name: `the bytes of backup ${backup.id}`,
    signal,
  });
}

async function dialectOf({ backup, reader }: ChainLink): Promise<SqlDialect> {
  const pieces: Uint8Array[] = [];
  const length = Math.min(backup.size, DUMP_BEGINNING);
  if (length > 0) for await (const piece of reader.read(undefined, { offset: 0, length })) pieces.push(piece);
  const found = streamDialect(Buffer.concat(pieces));
  if ('dialect' in found) return found.dialect;
  throw choiceInvalid(`The stream of backup ${backup.id} is not given as SQL: ${found.reason}`);
}
