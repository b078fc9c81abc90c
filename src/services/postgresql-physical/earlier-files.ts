import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { ByteString, Content, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';

/** A file as an earlier backup holds it. */
export interface EarlierFile {
  /** bytes */
  size: number;
  content: Content;
}

/** The files of the backup that an incremental one builds on. A server sends folder by folder, so one folder is held at a time. */
export class EarlierFiles {
  readonly #reader: SnapshotReader;
  #folder: ByteString | undefined;
  #files = new Map<ByteString, EarlierFile>();

  constructor(reader: SnapshotReader) {
    this.#reader = reader;
  }

  /** @throws HoldfastError `postgresql-earlier-file-missing` (damaged) */
  async find(path: ByteString): Promise<EarlierFile> {
    const folder = path.slice(0, path.lastIndexOf('/'));
    if (folder !== this.#folder) {
      this.#files = new Map();
      this.#folder = folder;
      for await (const entry of this.#reader.entries({ paths: [folder] })) this.#add(entry);
    }
    const file = this.#files.get(path);
    if (file !== undefined) return file;
    const name = Buffer.from(path, 'latin1').toString();
    const message = `The server sent only changes of ${name}, which the earlier backup does not hold. Make a full backup.`;
    throw new HoldfastError('damaged', 'postgresql-earlier-file-missing', message, { details: { path: name } });
  }

  segments({ content }: EarlierFile): AsyncIterable<ContentSegment> {
    return this.#reader.segments(content);
  }

  /** A run of bytes, verified. */
  async read({ content }: EarlierFile, offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    let at = 0;
    for await (const piece of this.#reader.read(content, { offset, length })) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  #add({ path, type, size = 0, content }: TreeEntry): void {
    if (type === 'file' && content !== undefined) this.#files.set(path, { size, content });
  }
}
