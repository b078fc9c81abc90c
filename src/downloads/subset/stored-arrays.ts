import { HoldfastError } from '../../core/errors.ts';

export type StoredArray = Int32Array | Uint32Array | Float64Array | Uint8Array;

/**
 * Arrays of numbers as bytes: the length of a header (32 bits, little-endian), the header as JSON, and the arrays, one after the other, each
 * in the byte order of the processor (little-endian on all that Node.js runs on). Pieces are views of the arrays.
 */
export async function* arrayBytes(header: unknown, arrays: readonly StoredArray[]): AsyncGenerator<Uint8Array> {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  yield Buffer.concat([length, text]);
  for (const array of arrays) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
  }
}

/**
 * Reads what `arrayBytes` wrote.
 * @param read is given the header and asks for the arrays in their order
 * @throws HoldfastError `key-index-damaged` (damaged), also where `read` throws: it can be made again from the content
 */
export async function readArrays<Result>(
  bytes: AsyncIterable<Uint8Array>,
  read: (header: unknown, arrays: ArrayReader) => Promise<Result>,
): Promise<Result> {
  const reader = new ExactReader(bytes[Symbol.asyncIterator]());
  try {
    const text = await reader.bytes((await reader.bytes(4)).readUInt32LE());
    const result = await read(JSON.parse(text.toString()), reader);
    await reader.end();
    return result;
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw damaged(cause);
  } finally {
    await reader.close();
  }
}

export interface ArrayReader {
  /** The memory of the next array. */
  memory(length: number): Promise<ArrayBuffer>;
}

const PIECE = 1 << 20;

/** Gives as many bytes as are asked for, from pieces of any size. */
class ExactReader implements ArrayReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  async bytes(length: number): Promise<Buffer> {
    return Buffer.from(await this.memory(length));
  }

  async memory(length: number): Promise<ArrayBuffer> {
    const found = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0) await this.#more();
      const part = this.#rest.subarray(0, length - filled);
      found.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return found.buffer;
  }

  async end(): Promise<void> {
    for (let next = await this.#pieces.next(); !next.done; next = await this.#pieces.next())
      if (next.value.length > 0) throw damaged();
    if (this.#rest.length > 0) throw damaged();
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #more(): Promise<void> {
    const next = await this.#pieces.next();
    if (next.done) throw damaged();
    this.#rest = next.value;
  }
}

function damaged(cause?: unknown): HoldfastError {
  const message = 'The stored index of keys is damaged. It is made again from the backup itself.';
  return new HoldfastError('damaged', 'key-index-damaged', message, cause === undefined ? {} : { cause });
}
