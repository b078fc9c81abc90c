import { contentDownload, sha256Of } from '../../core/content-download.ts';
import { requireChoice } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import { SQLITE_FORMATS } from './download-formats.ts';

/** The database file, as SQLite's online backup made it. */
export async function downloadDatabase({ chain, choice, signal }: DownloadContext): Promise<DownloadMaterial> {
  requireChoice(choice, 'a SQLite database', SQLITE_FORMATS);
  const link = chain.at(-1);
  if (link === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
  const { backup, reader } = link;
  const sha256 = sha256Of(backup.checksum);
  return contentDownload({
    format: 'sqlite',
    mediaType: 'application/vnd.sqlite3',
    fileExtension: '.sqlite',
    reader,
    length: backup.size,
    ...(sha256 === undefined ? {} : { sha256 }),
    name: `the database of backup ${backup.id}`,
    signal,
  });
}
