import { HoldfastError } from '../../core/errors.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import type { Run } from './base-backup-stream.ts';

/** A file, folder or link of an archive; a file's bytes must be read to their end before the next one is asked for. */
export interface TarFile {
  /** Within the archive. */
  path: ByteString;
  kind: 'file' | 'directory' | 'symlink';
  /** bytes */
  size: number;
  metadata: Pick<TreeEntry, 'mode' | 'uid' | 'gid' | 'modifiedAt'>;
  runs: AsyncIterable<Run>;
}

/**
 * Reads a tar archive as servers make it: POSIX headers ("ustar") without extensions (src/port/tar.c of PostgreSQL), before 15 without
 * the blocks that end one. Bytes are given in the runs in which they come.
 * @throws HoldfastError `postgresql-archive-damaged` (damaged), `postgresql-path-unsafe` (denied), or what reading `archive` throws
 */
export async function* tarFiles(archive: AsyncIterable<Run>): AsyncGenerator<TarFile> {
  const source = new RunSource(archive);
  for (;;) {
    const header = await source.header();
    if (header === undefined) return;
    const file = readHeader(header);
    // The rest is what fills the last record.
    if (file === undefined) return source.drain();
    // Links have no bytes, whatever their header says.
    const bytes = file.kind === 'file' ? file.size : 0;
    yield { ...file, runs: source.runs(bytes) };
    await source.skip((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
  }
}

/** Takes bytes off runs. */
class RunSource {
  readonly #runs: AsyncIterator<Run>;
  #run: Run = [];
  #index = 0;
  /** Of the piece at hand, what was not taken yet. */
  #piece: Uint8Array = new Uint8Array(0);
  #left = 0;

  constructor(runs: AsyncIterable<Run>) {
    this.#runs = runs[Symbol.asyncIterator]();
  }

  /** The next block; undefined at the end of all. */
  async header(): Promise<Buffer | undefined> {
    if (this.#left > 0) throw damaged('it has more bytes than were read');
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let filled = 0; filled < BLOCK_BYTES; ) {
      if (!(await this.#hasPiece())) {
        if (filled === 0) return undefined;
        throw damaged('it ends in the midst of a header');
      }
      const piece = this.#take(BLOCK_BYTES - filled);
      block.set(piece, filled);
      filled += piece.length;
    }
    return block;
  }

  /** Gives `length` bytes. */
  async *runs(length: number): AsyncGenerator<Run> {
    this.#left = length;
    while (this.#left > 0) {
      if (!(await this.#hasPiece())) throw damaged('it ends in the midst of a file');
      const run: Uint8Array[] = [];
      do {
        const piece = this.#take(this.#left);
        this.#left -= piece.length;
        run.push(piece);
      } while (this.#left > 0 && this.#moveOn());
      yield run;
    }
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      if (!(await this.#hasPiece())) throw damaged('it ends in the midst of a file');
      left -= this.#take(left).length;
    }
  }

  async drain(): Promise<void> {
    for (let next = await this.#runs.next(); next.done !== true; ) next = await this.#runs.next();
  }

  #take(most: number): Uint8Array {
    const taken = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(taken.length);
    return taken;
  }

  async #hasPiece(): Promise<boolean> {
    while (!this.#moveOn()) {
      const next = await this.#runs.next();
      if (next.done === true) return false;
      this.#run = next.value;
      this.#index = 0;
    }
    return true;
  }

  /** Whether the run at hand has bytes left. */
  #moveOn(): boolean {
    while (this.#piece.length === 0) {
      const next = this.#run[this.#index];
      if (next === undefined) return false;
      this.#index++;
      this.#piece = next;
    }
    return true;
  }
}

const BLOCK_BYTES = 512;
const MAGIC = 'ustar';
const KINDS: Readonly<Record<string, TarFile['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '2': 'symlink',
  '5': 'directory',
};

/** @returns undefined for a block of zeros, with which an archive ends */
function readHeader(block: Buffer): Omit<TarFile, 'runs'> | undefined {
  const sum = block.reduce((before, byte, at) => before + (at >= 148 && at < 156 ? SPACE : byte), 0);
  if (sum === SPACE * 8) return undefined;
  if (sum !== numberAt(block, 148, 8) || !block.toString('latin1', 257).startsWith(MAGIC))
    throw damaged('a header of it is none');
  const prefix = textAt(block, 345, 155);
  const name = `${prefix === '' ? '' : `${prefix}/`}${textAt(block, 0, 100)}`;
  const type = block.toString('latin1', 156, 157);
  const kind = KINDS[type];
  if (kind === undefined) throw unknownKind(name, type);
  return {
    path: safePath(name),
    kind,
    size: sizeOf(block),
    metadata: {
      mode: numberAt(block, 100, 8) & 0o7777,
      uid: numberAt(block, 108, 8),
      gid: numberAt(block, 116, 8),
      modifiedAt: BigInt(numberAt(block, 136, 12)) * 1_000_000_000n,
    },
  };
}

const SPACE = 0x20;

/**
 * Octal digits, or, where these are too few, a first byte of 0x80 and a big-endian number of up to 64 bits. Times before 1970 come in these
 * 64 bits as well, as servers keep them: in two's complement.
 */
function numberAt(block: Buffer, at: number, length: number): number {
  if (block[at] === 0x80) {
    const bits = BigInt(`0x${block.toString('hex', at + 1, at + length)}`);
    const number = Number(bits < 2n ** 64n ? BigInt.asIntN(64, bits) : bits);
    if (Number.isSafeInteger(number)) return number;
  }
  const digits = textAt(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw damaged('a number in a header of it is none');
  return Number.parseInt(digits || '0', 8);
}

function sizeOf(block: Buffer): number {
  const size = numberAt(block, 124, 12);
  if (size < 0) throw damaged('a length in a header of it is negative');
  return size;
}

function textAt(block: Buffer, at: number, length: number): string {
  const field = block.toString('latin1', at, at + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

function damaged(what: string): HoldfastError {
  const message = `An archive of the base backup is not readable: ${what}. Nothing was backed up; try again.`;
  return new HoldfastError('damaged', 'postgresql-archive-damaged', message);
}

function unknownKind(name: string, type: string): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'postgresql-answer-unexpected',
    `The server sent ${name}, which is no file, folder or link (${JSON.stringify(type)}). Nothing was backed up.`,
  );
}

/** A hostile server must not have a restore write elsewhere. */
function safePath(name: string): ByteString {
  const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  const isSafe = !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isSafe) return path;
  throw new HoldfastError(
    'denied',
    'postgresql-path-unsafe',
    `The server sent a file with the name ${JSON.stringify(name)}, which would lie outside of a data folder. Nothing was backed up.`,
  );
}
