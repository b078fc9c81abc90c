import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import { dumpPieces } from './dump-pieces.ts';
import { countLineEnds } from './row-blocks.ts';
import { wholeOnly } from './unreadable.ts';

/** A dump without its rows, and where these are. */
export interface DumpOutline {
  /** Which dump it is of: another text for other bytes. */
  of: string;
  /** All that is no row of a COPY, one behind the other as in the dump; each COPY is followed by the line that ends its rows. */
  definitions: Buffer;
  /** For each COPY, in their order. */
  blocks: readonly RowsOfCopy[];
}

export interface RowsOfCopy {
  /** Where the rows begin in the dump. */
  offset: number;
  /** Bytes. */
  length: number;
  rows: number;
}

/** Definitions are held in memory; a longer outline is of no dump that anybody makes. */
const MOST_BYTES = 64 << 20;
/** As many as so many bytes of definitions have. What is known of each takes more memory than a short one itself. */
const MOST_STATEMENTS = 500_000;
const BLOCK_BYTES = 1 << 20;
const END_OF_ROWS = '\\.\n';

/**
 * Reads a dump once, in memory of its definitions.
 * @throws HoldfastError `download-choice-invalid` (invalid) where rows are INSERT statements, or there are too many definitions; `variant-content-unreadable` (unsupported) for what the lexer does not understand
 */
export async function dumpOutline(
  bytes: AsyncIterable<Uint8Array>,
  of: string,
  signal: AbortSignal,
): Promise<DumpOutline> {
  const outline = new OutlineWriter();
  for await (const pieces of dumpPieces(bytes, signal))
    for (const piece of pieces) {
      if (piece.kind === 'rows') outline.rows(piece.bytes);
      else if (piece.kind === 'rows-end') outline.rowsEnd(piece.bytes.toString('latin1'));
      else if (piece.kind === 'statement' && piece.copy !== undefined) outline.copy(piece.bytes, piece.offset);
      else if (piece.kind === 'statement' && piece.firstWord === 'insert')
        throw wholeOnly('its rows are INSERT statements');
      else if (piece.kind === 'statement') outline.statement(piece.bytes);
      else outline.definition(piece.bytes);
    }
  return { of, ...outline.written() };
}

class OutlineWriter {
  /** Full blocks, and one with room: a buffer for each piece would take several times the memory of short ones. */
  readonly #full: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  #bytes = 0;
  #statements = 0;
  readonly #blocks: RowsOfCopy[] = [];
  #open: RowsOfCopy = { offset: 0, length: 0, rows: 0 };
  /** What was taken for rows, at its end: of the line that ends them the first part may be among it. */
  #last = '';

  statement(bytes: Buffer): void {
    if (++this.#statements > MOST_STATEMENTS) throw wholeOnly(`it has more than ${MOST_STATEMENTS} statements`);
    this.definition(bytes);
  }

  definition(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MOST_BYTES) throw wholeOnly(`its definitions are more than ${MOST_BYTES} bytes`);
    if (this.#used + bytes.length > this.#block.length) {
      this.#full.push(this.#block.subarray(0, this.#used));
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, bytes.length));
      this.#used = 0;
    }
    // A copy: the chunk's memory is used again.
    this.#used += bytes.copy(this.#block, this.#used);
  }

  copy(bytes: Buffer, offset: number): void {
    this.statement(bytes);
    this.#open = { offset: offset + bytes.length, length: 0, rows: 0 };
    this.#last = '';
  }

  rows(bytes: Buffer): void {
    this.#open.length += bytes.length;
    this.#open.rows += countLineEnds(bytes);
    this.#last = `${this.#last}${bytes.toString('latin1', Math.max(0, bytes.length - END_OF_ROWS.length))}`.slice(
      -END_OF_ROWS.length,
    );
  }

  /** @param line that ends the rows, or its last part: then its first part was taken for rows */
  rowsEnd(line: string): void {
    const before = Math.max(0, END_OF_ROWS.length - line.length);
    if (this.#last.slice(this.#last.length - before) + line !== END_OF_ROWS)
      throw wholeOnly('its rows end with a line that pg_dump does not write');
    this.#open.length -= before;
    this.#blocks.push(this.#open);
    this.definition(Buffer.from(END_OF_ROWS));
  }

  written(): Pick<DumpOutline, 'definitions' | 'blocks'> {
    const definitions = Buffer.concat([...this.#full, this.#block.subarray(0, this.#used)]);
    return { definitions, blocks: this.#blocks };
  }
}

const facts = z.strictObject({
  of: z.string(),
  /** Of the definitions. */
  bytes: z.number().int().nonnegative(),
  /** Offset, length and number of rows of each COPY. */
  blocks: z.array(z.tuple([z.number(), z.number(), z.number()])),
});

/** As one text: a line of JSON, then the definitions. */
export function* outlineBytes({ of, definitions, blocks }: DumpOutline): Generator<Uint8Array> {
  const told: z.infer<typeof facts> = {
    of,
    bytes: definitions.length,
    blocks: blocks.map(({ offset, length, rows }) => [offset, length, rows]),
  };
  yield Buffer.from(`${JSON.stringify(told)}\n`);
  yield definitions;
}

/** Undefined where the bytes are none that this version writes, or of another dump: the outline is then made again. */
export function storedOutline(bytes: Buffer, of: string): DumpOutline | undefined {
  const end = bytes.indexOf('\n');
  const definitions = bytes.subarray(end + 1);
  try {
    const { blocks, ...told } = facts.parse(JSON.parse(bytes.toString('utf8', 0, Math.max(0, end))));
    if (told.of !== of || told.bytes !== definitions.length) return undefined;
    return { of, definitions, blocks: blocks.map(([offset, length, rows]) => ({ offset, length, rows })) };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    return undefined;
  }
}
