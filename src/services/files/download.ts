import { contentDownload } from '../../core/content-download.ts';
import { choiceInvalid, requireChoice } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { type ArchiveFile, archiveFiles, nameInArchive } from './archive-files.ts';
import { printable, toByteString } from './byte-path.ts';
import { FILES_FORMATS } from './download-formats.ts';
import { LeftOut } from './left-out.ts';
import { refuseLostEntries } from './restore.ts';
import { tarArchive } from './tar-archive.ts';
import { zipArchive } from './zip-archive.ts';

/**
 * A tree, or what is at or below some paths, as an archive that unpacks into the folder where it is unpacked; or one file by itself.
 * @throws HoldfastError `download-choice-invalid` (invalid), `tree-part-lost` (damaged)
 */
export async function downloadFiles({ chain, choice, signal, warn }: DownloadContext): Promise<DownloadMaterial> {
  requireChoice(choice, 'a tree of files', FILES_FORMATS, { paths: true });
  const reader = chain.at(-1)?.reader;
  if (reader === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
  const { commonParent } = reader.record.serviceData;
  const strip = typeof commonParent === 'string' ? toByteString(commonParent) : '';
  if (choice.paths?.length === 0) throw choiceInvalid('No path was named. Leave `path` away for the whole backup.');
  const found = choice.paths === undefined ? undefined : await findPaths(reader, choice.paths, strip);
  const paths = found?.map(({ path }) => path);
  refuseLostEntries(reader, { paths, allowDamaged: false });
  signal.throwIfAborted();
  if (choice.format === 'bytes') return oneFile(reader, found, signal);
  const isZip = choice.format === 'zip';
  const namesOnly = choice.schemaOnly === true;
  const tree = { reader, strip, paths, leavesHolesOut: !isZip, linksNames: !isZip, namesOnly, signal };
  return {
    format: isZip ? 'zip' : 'tar',
    mediaType: isZip ? 'application/zip' : 'application/x-tar',
    fileExtension: isZip ? '.zip' : '.tar',
    isReproducible: true,
    acceptsRanges: false,
    async *bytes() {
      const leftOut = new LeftOut(warn);
      const leaveOut = ({ name, entry }: ArchiveFile) => leftOut.add(name, entry.type);
      yield* isZip ? zipArchive(archiveFiles(tree), leaveOut) : tarArchive(archiveFiles(tree), leaveOut);
      leftOut.end();
    },
  };
}

/** Each path's first entry. Paths are taken as a restore takes them, or else below the folder that all backed-up paths share. */
async function findPaths(reader: SnapshotReader, given: readonly string[], strip: ByteString): Promise<TreeEntry[]> {
  const found: TreeEntry[] = [];
  const missing: string[] = [];
  for (const each of given) {
    const path = toByteString(each).replace(/^\/+|\/+$/g, '');
    const entry = path === '' ? undefined : await entryAt(reader, path);
    const below = entry ?? (strip === '' || path === '' ? undefined : await entryAt(reader, `${strip}/${path}`));
    if (below === undefined) missing.push(each);
    else found.push(below);
  }
  if (missing.length === 0) return found;
  const message = `The backup has no ${missing.join(', ')}. List what is in it, and name paths as they are listed.`;
  throw choiceInvalid(message, { paths: missing });
}

/** What is at a path; where only something below it was backed up, the folder. */
async function entryAt(reader: SnapshotReader, path: ByteString): Promise<TreeEntry | undefined> {
  for await (const entry of reader.entries({ paths: [path] })) return entry.path === path ? entry : { ...FOLDER, path };
  return undefined;
}

const FOLDER: Omit<TreeEntry, 'path'> = { type: 'directory', mode: 0o755, uid: 0, gid: 0, modifiedAt: 0n };

function oneFile(
  reader: SnapshotReader,
  found: readonly TreeEntry[] | undefined,
  signal: AbortSignal,
): DownloadMaterial {
  const [file, ...others] = found ?? [];
  if (file === undefined || others.length > 0 || file.type !== 'file')
    throw choiceInvalid(
      'Bytes are of one file. Name exactly one `path`, that of a regular file, or choose `tar` or `zip`.',
    );
  const { content = { inline: new Uint8Array() }, size = 0, path } = file;
  const extension = /\.[A-Za-z0-9]{1,12}$/.exec(path)?.[0];
  const what = { format: 'bytes', mediaType: 'application/octet-stream', fileExtension: extension ?? '' } as const;
  return contentDownload({ ...what, reader, content, length: size, name: printable(nameInArchive(path, '')), signal });
}
