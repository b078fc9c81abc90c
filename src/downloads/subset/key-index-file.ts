import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { KeyIndex, RootIndex } from './key-index.ts';
import { RowBits } from './row-bits.ts';

/**
 * An index of keys as bytes: the length of a header (32 bits, little-endian), the header as JSON, and the arrays that it names, one after
 * the other, each in the byte order of the processor (little-endian on all that Node.js runs on).
 */
export async function* keyIndexBytes(index: KeyIndex): AsyncGenerator<Uint8Array> {
  const arrays: (Int32Array | Uint32Array | Float64Array | Uint8Array)[] = [];
  const add = (array: (typeof arrays)[number] | undefined): number => {
    if (array === undefined) return -1;
    arrays.push(array);
    return array.length;
  };
  const header: z.input<typeof headerSchema> = {
    version: 1,
    tables: index.tables.map((runs) => runs.map(({ member, from, first, rows }) => ({ member, from, first, rows }))),
    references: index.references.map(add),
    places: index.places.map(add),
    roots: index.roots.map(({ chosen, sorting }) => ({
      rows: chosen?.rows ?? -1,
      chosen: add(chosen?.bytes),
      sorting: add(sorting),
    })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  yield Buffer.concat([length, text]);
  for (const array of arrays) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at += PIECE) yield bytes.slice(at, at + PIECE);
  }
}

/** @throws HoldfastError `key-index-damaged` (damaged): it can be made again from the content */
export async function readKeyIndex(bytes: AsyncIterable<Uint8Array>): Promise<KeyIndex> {
  const reader = new ExactReader(bytes[Symbol.asyncIterator]());
  try {
    const text = await reader.bytes((await reader.bytes(4)).readUInt32LE());
    const header = headerSchema.parse(JSON.parse(text.toString()));
    const references: Int32Array[] = [];
    for (const length of header.references) references.push(new Int32Array(await reader.memory(length * 4)));
    const places: (Uint32Array | undefined)[] = [];
    for (const length of header.places)
      places.push(length < 0 ? undefined : new Uint32Array(await reader.memory(length * 4)));
    const roots: RootIndex[] = [];
    for (const root of header.roots) roots.push(await rootOf(root, reader));
    await reader.end();
    return { tables: header.tables, references, places, roots };
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw damaged(cause);
  } finally {
    await reader.close();
  }
}

const PIECE = 1 << 20;
const count = z
  .number()
  .int()
  .min(-1)
  .max(2 ** 32);

const headerSchema = z.strictObject({
  version: z.literal(1),
  tables: z.array(z.array(z.strictObject({ member: z.string(), from: count, first: count, rows: count }))),
  references: z.array(count),
  places: z.array(count),
  roots: z.array(z.strictObject({ rows: count, chosen: count, sorting: count })),
});

async function rootOf(
  { rows, chosen, sorting }: z.output<typeof headerSchema>['roots'][number],
  reader: ExactReader,
): Promise<RootIndex> {
  const found: RootIndex = {};
  if (rows >= 0) {
    const bits = new RowBits(rows);
    bits.bytes.set(new Uint8Array(await reader.memory(chosen)));
    found.chosen = bits;
  }
  if (sorting >= 0) found.sorting = new Float64Array(await reader.memory(sorting * 8));
  return found;
}

/** Gives as many bytes as are asked for, from pieces of any size. */
class ExactReader {
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
