import type { ByteString } from '../../core/tree-entry.ts';
import {
  type BackupManifest,
  checksumText,
  formatManifest,
  type ManifestFile,
  manifestPath,
} from './backup-manifest.ts';
import { crc32c } from './crc32c.ts';
import { wholeFilePath } from './incremental-file.ts';

export const LABEL_PATH = 'backup_label';

/** `backup_label` of an incremental backup without the lines with which a server refuses to start from it, as pg_combinebackup writes it. */
export function labelOfWhole(text: Buffer): Buffer {
  const lines = text.toString('latin1').split(/(?<=\n)/);
  return Buffer.from(lines.filter((line) => !line.startsWith('INCREMENTAL FROM ')).join(''), 'latin1');
}

/**
 * The manifest of the whole files that an incremental backup was made into. Files that were put together have no checksum in it:
 * their segments are verified by the repository, and to read all of each would undo what an incremental backup saves.
 *
 * @param sizes of the files that were put together
 */
export function manifestOfWhole(
  { 'Manifest-Checksum': _of, ...manifest }: BackupManifest,
  systemIdentifier: string,
  sizes: ReadonlyMap<ByteString, number>,
  label: Buffer,
): Buffer {
  const files = manifest.Files.map((file): ManifestFile => {
    const path = manifestPath(file);
    if (path === LABEL_PATH) return { ...file, Size: label.length, Checksum: checksumText(crc32c(label)) };
    const whole = wholeFilePath(path);
    if (whole === undefined) return file;
    // Names of relation files are plain.
    return { Path: whole, Size: sizes.get(whole) ?? 0, 'Last-Modified': file['Last-Modified'] };
  });
  return formatManifest({ ...manifest, Files: files }, systemIdentifier);
}
