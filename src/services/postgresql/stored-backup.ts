import { type ContentDownload, contentDownload, verifiedBytes } from '../../core/content-download.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { ChainLink } from '../../core/ports/service.ts';
import type { ArchiveBytes, DownloadMaterial } from '../../core/ports/service-download.ts';
import type { TreeEntry } from '../../core/tree-entry.ts';
import { partsOfContent } from './content-parts.ts';
import { CONTENTS_PATH, type Contents, parseContents } from './contents.ts';

/** A file of the tree with what it must hash to. */
export interface StoredFile {
  path: string;
  bytes: number;
  sha256: string;
}

const LARGEST_TEXT = 256 * 1024 * 1024;

/** A backup as restores see it. */
export class StoredBackup {
  readonly contents: Contents;
  /** The folder of client tools that the backup was made with, where it was configured. */
  readonly binaries: string | undefined;
  readonly #reader: SnapshotReader;

  private constructor(reader: SnapshotReader, contents: Contents) {
    const { binaries } = reader.record.serviceData;
    this.#reader = reader;
    this.contents = contents;
    this.binaries = typeof binaries === 'string' ? binaries : undefined;
  }

  static async open(chain: readonly ChainLink[]): Promise<StoredBackup> {
    const reader = chain.at(-1)?.reader;
    if (reader === undefined)
      throw new HoldfastError('internal', 'chain-empty', 'A restore was begun without a backup to restore.');
    const entry = await entryAt(reader, CONTENTS_PATH);
    return new StoredBackup(reader, parseContents(await textOf(reader, entry)));
  }

  /**
   * A file's bytes. The last piece is held back until all were compared with what was backed up, so that whoever waits for
   * the end of them before committing never commits anything else.
   * @throws HoldfastError `checksum-differs` (damaged)
   */
  async *bytes(file: StoredFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* verifiedBytes({ ...(await this.#contentOf(file)), signal });
  }

  /** A file's bytes, or parts of it. @throws HoldfastError as `bytes` does */
  archiveBytes(file: StoredFile, signal: AbortSignal): ArchiveBytes {
    return {
      length: file.bytes,
      bytes: () => this.bytes(file, signal),
      parts: (bounds) => this.#parts(file, bounds, signal),
    };
  }

  async *#parts(file: StoredFile, bounds: Float64Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* partsOfContent({ ...(await this.#contentOf(file)), bounds, signal });
  }

  /** A file as it is stored, to be downloaded. */
  async download(
    file: StoredFile,
    what: Pick<ContentDownload, 'format' | 'mediaType' | 'fileExtension' | 'signal'>,
  ): Promise<DownloadMaterial> {
    return contentDownload({ ...what, ...(await this.#contentOf(file)) });
  }

  async #contentOf({ path, bytes, sha256 }: StoredFile) {
    const { content = { inline: new Uint8Array() } } = await entryAt(this.#reader, path);
    return { reader: this.#reader, content, length: bytes, sha256, name: path };
  }

  async text(file: StoredFile, signal: AbortSignal): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.bytes(file, signal)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }
}

async function entryAt(reader: SnapshotReader, path: string): Promise<TreeEntry> {
  for await (const entry of reader.entries({ paths: [path] })) if (entry.path === path) return entry;
  const message = `${path} is missing in this backup. Restore an earlier one, and verify the repository.`;
  throw new HoldfastError('damaged', 'postgresql-file-missing', message, { details: { path } });
}

async function textOf(reader: SnapshotReader, { content, path, size = 0 }: TreeEntry): Promise<string> {
  if (size > LARGEST_TEXT)
    throw new HoldfastError('damaged', 'postgresql-contents-damaged', `${path} is too large to be what it should.`);
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.read(content)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
