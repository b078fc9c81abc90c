import { RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { type DumpCharset, type LiteralColumn, literalOfText, textOfLiteral } from './literal.ts';
import { nextRow, pastSpace, RowReader, UnreadableRow } from './row-reader.ts';

/** What the format `mysql-insert` must know besides the columns. */
export interface InsertRowsOptions {
  /** What stands before the first row of each statement, in Latin-1. */
  header: string;
  charset: DumpCharset;
  columns: readonly LiteralColumn[];
}

/**
 * Blocks of whole INSERT statements that begin alike, with nothing but white space between them. A statement of whose rows none is kept is left out, and the
 * space behind it.
 */
export function createMysqlInsertRows({ columns, options }: RowSource, table: TableMasker): RowFormat {
  return new MysqlInsertRows(columns.length, options as unknown as InsertRowsOptions, table);
}

class MysqlInsertRows implements RowFormat {
  readonly #options: InsertRowsOptions;
  readonly #table: TableMasker;
  readonly #reader: RowReader;
  readonly #generated: readonly boolean[];
  /** Columns of which something else may be written than what stood there. */
  readonly #written: readonly number[];
  readonly #values: (string | null)[];
  readonly #before: (string | null)[];
  readonly #literals: string[];

  constructor(columns: number, options: InsertRowsOptions, table: TableMasker) {
    this.#options = options;
    this.#table = table;
    this.#generated = options.columns.map(({ isGenerated }) => isGenerated);
    const generated = [...this.#generated.keys()].filter((column) => this.#generated[column]);
    const written = table.changed.length === 0 && !table.selects ? [] : [...table.changed, ...generated];
    this.#written = [...new Set(written)].sort((one, other) => one - other);
    this.#reader = new RowReader(columns, [...table.needed, ...generated]);
    this.#values = new Array(columns).fill(null);
    this.#before = new Array(columns).fill(null);
    this.#literals = new Array(columns).fill('');
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    const text = block.toString('latin1');
    const out: string[] = [];
    let [rowsIn, rowsOut] = [0, 0];
    try {
      for (let at = 0; at < block.length; ) {
        const statement = this.#statement(block, text, at, firstOrdinal + rowsIn, out, () => rowsIn++);
        rowsOut += statement.rowsOut;
        at = statement.next;
      }
    } catch (error) {
      // The row that is at fault was counted.
      if (error instanceof UnreadableRow) throw new RowFault(rowsIn - 1, error.message);
      throw new RowFault(rowsIn - 1, undefined, error);
    }
    return { bytes: bytesOf(out), rowsIn, rowsOut };
  }

  /** Gives one statement and the space behind it; tells where the next begins. */
  #statement(block: Buffer, text: string, from: number, firstOrdinal: number, out: string[], count: () => void) {
    const { header } = this.#options;
    if (!text.startsWith(header, from))
      throw new UnreadableRow('its statement begins in another way than those before');
    let rowsOut = 0;
    let ordinal = firstOrdinal;
    // What was not given yet begins here.
    let waiting = from;
    let end = from + header.length;
    for (let open = end; open >= 0; open = nextRow(block, end)) {
      count();
      const last = end;
      end = this.#reader.row(block, open);
      if (!this.#table.isKept(ordinal)) {
        if (rowsOut > 0) out.push(text.slice(waiting, last));
        waiting = end;
      } else {
        if (rowsOut === 0 && ordinal > firstOrdinal) {
          out.push(header);
          waiting = open;
        }
        if (this.#table.needed.length > 0) waiting = this.#row(text, ordinal, waiting, out);
        rowsOut++;
      }
      ordinal++;
    }
    const next = pastSpace(block, pastSpace(block, end) + 1);
    if (rowsOut > 0) out.push(text.slice(waiting, next));
    return { next, rowsOut };
  }

  /** Masks the row that was read; gives what stands before the last changed value, and tells where the rest begins. */
  #row(text: string, ordinal: number, from: number, out: string[]): number {
    const { needed } = this.#table;
    const { starts, ends } = this.#reader;
    const { charset, columns } = this.#options;
    for (const column of needed) {
      const literal = text.slice(starts[column], ends[column]).trim();
      this.#literals[column] = literal;
      // No rule reads what the server computes, and what a dump has of it is not given.
      const value = this.#generated[column] ? null : textOfLiteral(literal, columnAt(columns, column), charset);
      this.#values[column] = this.#before[column] = value;
    }
    this.#table.mask(this.#values, ordinal);
    let waiting = from;
    for (const column of this.#written) {
      const literal = this.#generated[column] ? GENERATED : this.#literal(column);
      if (literal === undefined) continue;
      out.push(text.slice(waiting, pastSpaceIn(text, starts[column] ?? 0)), literal);
      waiting = ends[column] ?? waiting;
    }
    return waiting;
  }

  /** What stands for a value after a rule; undefined where the rule left it as it was. */
  #literal(column: number): string | undefined {
    const value = this.#values[column] ?? null;
    if (value === this.#before[column]) return undefined;
    const { columns, charset } = this.#options;
    return literalOfText(value, this.#literals[column] ?? '', columnAt(columns, column), charset);
  }
}

/** The server computes it again. */
const GENERATED = 'DEFAULT';

function pastSpaceIn(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

function columnAt(columns: readonly LiteralColumn[], at: number): LiteralColumn {
  const column = columns[at];
  if (column === undefined) throw new Error('a column of which nothing is known');
  return column;
}

function bytesOf(parts: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = parts.join('');
  const bytes = new Uint8Array(text.length);
  Buffer.from(bytes.buffer).write(text, 'latin1');
  return bytes;
}
