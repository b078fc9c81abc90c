import { HoldfastError } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';

/**
 * A file of an incremental base backup: which blocks follow. Source of the format: sendFile in
 * src/backend/backup/basebackup.c and src/include/backup/basebackup_incremental.h of PostgreSQL 17.
 */
export interface IncrementalHeader {
  /** Numbers of the blocks whose bytes follow, ascending, from the beginning of this file. */
  blocks: Uint32Array;
  /** Blocks that the file had at least since the earlier backup: what is beyond in that one is gone. */
  truncationLength: number;
}

const PREFIX = 'INCREMENTAL.';
const MAGIC = 0xd3ae1f0d;
/** A file of a relation has 131,072 blocks as servers are built. */
const MOST_BLOCKS = 1 << 24;

/** The path of the file that an incremental one belongs to; undefined where a path is that of a whole file. */
export function wholeFilePath(path: ByteString): ByteString | undefined {
  const at = path.lastIndexOf('/') + 1;
  return path.startsWith(PREFIX, at) ? path.slice(0, at) + path.slice(at + PREFIX.length) : undefined;
}

/** Reads the header; the bytes of the blocks come next. @throws HoldfastError `postgresql-archive-damaged` (damaged) */
export async function readIncrementalHeader(source: ByteSource, pageBytes: number): Promise<IncrementalHeader> {
  const start = await source.take(12);
  const count = start.readUInt32LE(4);
  if (start.readUInt32LE(0) !== MAGIC || count > MOST_BLOCKS) throw source.damaged('its header is not readable');
  const list = await source.take(count * 4);
  const blocks = Uint32Array.from({ length: count }, (_, index) => list.readUInt32LE(index * 4));
  if (blocks.some((block, index) => index > 0 && block <= (blocks[index - 1] as number)))
    throw source.damaged('its blocks are out of order');
  const headerBytes = 12 + count * 4;
  if (count > 0 && headerBytes % pageBytes !== 0) await source.take(pageBytes - (headerBytes % pageBytes));
  return { blocks, truncationLength: start.readUInt32LE(8) };
}

/** Blocks of the whole file, as pg_combinebackup counts them. */
export function wholeFileBlocks({ blocks, truncationLength }: IncrementalHeader): number {
  return Math.max(truncationLength, (blocks.at(-1) ?? -1) + 1);
}

/** Gives a stream's bytes in portions of an exact length. */
export class ByteSource {
  readonly #path: ByteString;
  readonly #bytes: AsyncIterator<Uint8Array>;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(path: ByteString, bytes: AsyncIterable<Uint8Array>) {
    this.#path = path;
    this.#bytes = bytes[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#waiting.length === 0) {
        const next = await this.#bytes.next();
        if (next.done === true) throw this.damaged('it ends early');
        this.#waiting = Buffer.from(next.value);
      }
      const piece = this.#waiting.subarray(0, missing);
      this.#waiting = this.#waiting.subarray(piece.length);
      missing -= piece.length;
      pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }

  /** Reads to the end of what is left. */
  async drain(): Promise<void> {
    for (let next = await this.#bytes.next(); next.done !== true; ) next = await this.#bytes.next();
  }

  damaged(what: string): HoldfastError {
    const name = Buffer.from(this.#path, 'latin1').toString();
    const message = `The server sent ${name} in a way that cannot be used: ${what}. Nothing was backed up; make a full backup.`;
    return new HoldfastError('damaged', 'postgresql-archive-damaged', message, { details: { path: name } });
  }
}
