import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import { type ByteString, type ContentSegment, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import { isBelow, printable } from './byte-path.ts';
import { isSafePath } from './safe-path.ts';
import { contentDiffers, namingFile } from './unreadable-content.ts';

/** An entry on its way into an archive. */
export interface ArchiveFile {
  entry: TreeEntry;
  /** Relative, and below wherever the archive is unpacked. */
  name: ByteString;
  /** The name in the archive that this is another name of; then there are no bytes. */
  linkTo?: ByteString;
  /** Of a regular file: exactly `entry.size` bytes, to be read to their end before the next file is asked for. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Of a regular file: its segments, where holes can be left out; undefined where there are none worth it. */
  sparse?: readonly ContentSegment[];
}

export interface ArchivedTree {
  reader: SnapshotReader;
  /** Taken off the front of all paths. */
  strip: ByteString;
  paths: readonly ByteString[] | undefined;
  /** Whether holes are left out of what is read: `bytes` gives what is between them. */
  leavesHolesOut: boolean;
  /** Whether further names of a file are links to the first one, instead of files of their own. */
  linksNames: boolean;
  /** Regular files are empty. */
  namesOnly?: boolean;
  signal: AbortSignal;
}

/** Files up to this many bytes are read together, as if they were one … */
const SMALL = 1024 * 1024;
/** … until it is this many bytes or files. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_FILES = 500;
/** Holes of less than this, taken together, are read as zeros. */
const HOLES_WORTH = 1024 * 1024;
/** A file of more pieces than this is read with its holes: the list must fit in memory and in the archive's header. */
const MOST_SEGMENTS = 100_000;

/** The files of a tree, or a part of it, in order, with all their bytes verified. @throws HoldfastError naming the file */
export async function* archiveFiles(tree: ArchivedTree): AsyncGenerator<ArchiveFile> {
  const namesOfGroups = new Map<string, ByteString>();
  let batch: ArchiveFile[] = [];
  let bytes = 0;
  let previous: TreeEntry | undefined;
  let notFolder: TreeEntry | undefined;
  for await (const listed of tree.reader.entries(tree.paths === undefined ? {} : { paths: tree.paths })) {
    const entry = tree.namesOnly === true && listed.type === 'file' ? { ...listed, ...EMPTY } : listed;
    tree.signal.throwIfAborted();
    const isInOrder = previous === undefined || comparePaths(previous.path, entry.path) < 0;
    // What is below a link would be written wherever that points to. A folder comes right before what is in it.
    if (!isInOrder || (notFolder !== undefined && isBelow(entry.path, notFolder.path))) throw escapes(entry.path);
    previous = entry;
    if (entry.type !== 'directory') notFolder = entry;
    const file = await toFile(entry, tree, namesOfGroups);
    const size = file.linkTo === undefined ? (entry.size ?? 0) : 0;
    if (size > SMALL) {
      yield* withBytes(batch, tree);
      batch = [];
      bytes = 0;
      yield file;
      continue;
    }
    batch.push(file);
    bytes += size;
    if (bytes < BATCH_BYTES && batch.length < BATCH_FILES) continue;
    yield* withBytes(batch, tree);
    batch = [];
    bytes = 0;
  }
  yield* withBytes(batch, tree);
}

const EMPTY = { size: 0, content: { inline: new Uint8Array() } };

async function toFile(
  entry: TreeEntry,
  tree: ArchivedTree,
  namesOfGroups: Map<string, ByteString>,
): Promise<ArchiveFile> {
  const name = nameInArchive(entry.path, tree.strip);
  const group = tree.linksNames ? entry.hardLinkGroup : undefined;
  const linkTo = group === undefined ? undefined : namesOfGroups.get(group);
  if (linkTo !== undefined) return { entry, name, linkTo, bytes: none };
  if (group !== undefined) namesOfGroups.set(group, name);
  if (entry.type !== 'file') return { entry, name, bytes: none };
  const sparse = tree.leavesHolesOut ? await sparseSegments(entry, tree.reader) : undefined;
  const bytes = () => ownBytes(entry, tree, sparse);
  return { entry, name, bytes, ...(sparse === undefined ? {} : { sparse }) };
}

/** As restores place entries. @throws HoldfastError `path-escapes-target` (denied) */
export function nameInArchive(path: ByteString, strip: ByteString): ByteString {
  const inside = strip === '' ? path : path.startsWith(`${strip}/`) ? path.slice(strip.length + 1) : undefined;
  if (inside !== undefined && isSafePath(inside)) return inside;
  throw escapes(path);
}

function escapes(path: ByteString): HoldfastError {
  return new HoldfastError(
    'denied',
    'path-escapes-target',
    `${printable(path)} would be unpacked outside of the folder that the archive is unpacked in. Choose other paths, or restore into an empty folder and look at it there.`,
    { details: { path: printable(path) } },
  );
}

async function* none(): AsyncGenerator<Uint8Array> {
  // Only regular files have bytes.
}

async function* ownBytes(
  entry: TreeEntry,
  { reader, signal }: ArchivedTree,
  sparse: readonly ContentSegment[] | undefined,
): AsyncGenerator<Uint8Array> {
  const { content = NO_CONTENT, path, size = 0 } = entry;
  const data = sparse === undefined ? content : { segments: sparse.filter(({ id }) => id !== null) };
  const expected = sparse === undefined ? size : dataBytes(sparse);
  let bytes = 0;
  try {
    for await (const piece of reader.read(data)) {
      signal.throwIfAborted();
      bytes += piece.length;
      if (bytes > expected) break;
      if (piece.length > 0) yield piece;
    }
  } catch (error) {
    throw namingFile(error, path);
  }
  if (bytes !== expected) throw contentDiffers(path);
}

const NO_CONTENT = { inline: new Uint8Array() };

/** Reads the contents of small files as one, so that worker threads have long ranges to read and none is waited for by itself. */
async function* withBytes(batch: readonly ArchiveFile[], tree: ArchivedTree): AsyncGenerator<ArchiveFile> {
  const together: ContentSegment[] = [];
  const joined = new Set<ArchiveFile>();
  for (const file of batch) {
    const { content, size = 0 } = file.entry;
    if (file.linkTo !== undefined || file.sparse !== undefined || content === undefined || !('segments' in content))
      continue;
    const length = content.segments.reduce((sum, segment) => sum + segment.length, 0);
    if (content.missing !== undefined || length !== size) continue;
    together.push(...content.segments);
    joined.add(file);
  }
  const source = tree.reader.read({ segments: together })[Symbol.asyncIterator]();
  const shared = new SharedBytes(source);
  try {
    for (const file of batch)
      if (!joined.has(file)) yield file;
      else yield { ...file, bytes: () => shared.take(file.entry, tree.signal) };
  } finally {
    await source.return?.();
  }
}

/** Bytes of several files one after another, as they are taken from one reading. */
class SharedBytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  async *take({ path, size = 0 }: TreeEntry, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let wanted = size; wanted > 0; ) {
      signal.throwIfAborted();
      if (this.#left.length === 0) this.#left = await this.#next(path);
      const piece = this.#left.subarray(0, wanted);
      this.#left = this.#left.subarray(piece.length);
      wanted -= piece.length;
      yield piece;
    }
  }

  async #next(path: ByteString): Promise<Uint8Array> {
    try {
      for (;;) {
        const next = await this.#source.next();
        if (next.done === true) throw contentDiffers(path);
        if (next.value.length > 0) return next.value;
      }
    } catch (error) {
      throw namingFile(error, path);
    }
  }
}

async function sparseSegments(
  entry: TreeEntry,
  reader: SnapshotReader,
): Promise<readonly ContentSegment[] | undefined> {
  const { content, size = 0, path } = entry;
  if (content === undefined || 'inline' in content || content.missing !== undefined || size < HOLES_WORTH)
    return undefined;
  const segments: ContentSegment[] = [];
  try {
    for await (const segment of reader.segments(content)) {
      if (segments.push(segment) > MOST_SEGMENTS) return undefined;
    }
  } catch (error) {
    throw namingFile(error, path);
  }
  if (segments.reduce((sum, { length }) => sum + length, 0) !== size) throw contentDiffers(path);
  return size - dataBytes(segments) < HOLES_WORTH ? undefined : segments;
}

function dataBytes(segments: readonly ContentSegment[]): number {
  return segments.reduce((sum, { id, length }) => sum + (id === null ? 0 : length), 0);
}
