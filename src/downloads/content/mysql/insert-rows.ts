import {
  ABSENT,
  type ByteValues,
  lieIn,
  makeRoom,
  noValues,
  type ViewedBytes,
  viewed,
} from '../../masking/byte-values.ts';
import { copied } from '../../masking/copied-bytes.ts';
import { faultAt, RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { InsertBlock, type InsertStatement } from './insert-block.ts';
import { type DumpCharset, isPlainString, type LiteralColumn, literalOfText, textOfLiteral } from './literal.ts';
import { UnreadableRow } from './row-reader.ts';

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

/** A column of which something else may be written than what stood there. */
interface WrittenColumn {
  index: number;
  /** Of it among the wanted ones. */
  place: number;
  isGenerated: boolean;
  /** Where its values are masked at once. */
  whole: WholeColumn | undefined;
  /** What is written in its place, for each row; undefined where that is nothing else, or the output of `whole`. In Latin-1. */
  literals: (string | undefined)[];
}

interface WholeColumn {
  mask(values: ByteValues): ByteValues;
  /** Of the block at hand, for each of its rows; `ABSENT` where the value stays. */
  values: ByteValues;
  outputs: ByteValues;
}

class MysqlInsertRows implements RowFormat {
  readonly #options: InsertRowsOptions;
  /** Masks row by row what is not masked by whole columns. */
  readonly #table: TableMasker;
  readonly #block: InsertBlock;
  readonly #header: ViewedBytes;
  readonly #written: readonly WrittenColumn[];
  /** The columns that the table needs, with their places among the wanted ones. */
  readonly #needed: readonly { index: number; place: number }[];
  readonly #values: (string | null)[];
  readonly #before: (string | null)[];
  readonly #literals: string[];
  /** Whether a row is given, and whether rules leave it as it is. */
  #isKept = new Uint8Array(0);
  #isExempt = new Uint8Array(0);

  constructor(columns: number, options: InsertRowsOptions, table: TableMasker) {
    const { seeded, others } = table.split();
    const generated = options.columns.flatMap(({ isGenerated }, index) => (isGenerated ? [index] : []));
    const wanted = ascending([...others.needed, ...seeded.map(({ index }) => index), ...generated]);
    // Of a dump in which nothing changes they stay, too.
    const changes = table.changed.length > 0 || table.selects;
    const wholeOf = new Map(seeded.map((column) => [column.index, column]));
    this.#options = options;
    this.#table = others;
    this.#header = viewed(Buffer.from(options.header, 'latin1'));
    this.#block = new InsertBlock(this.#header.bytes, columns, wanted);
    this.#needed = others.needed.map((index) => ({ index, place: wanted.indexOf(index) }));
    this.#written = ascending([...table.changed, ...(changes ? generated : [])]).map((index) => {
      const isGenerated = generated.includes(index);
      const seededColumn = isGenerated ? undefined : wholeOf.get(index);
      const whole = seededColumn && {
        mask: (values: ByteValues) => seededColumn.mask(values),
        values: noValues(),
        outputs: noValues(),
      };
      return { index, place: wanted.indexOf(index), isGenerated, whole, literals: [] };
    });
    this.#values = new Array(columns).fill(null);
    this.#before = new Array(columns).fill(null);
    this.#literals = new Array(columns).fill('');
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    this.#read(block);
    for (const column of this.#written) column.literals = [];
    const rowsOut = this.#maskRows(block, firstOrdinal);
    for (const column of this.#written) if (column.whole !== undefined) this.#maskColumn(column, column.whole, block);
    return { bytes: this.#given(block), rowsIn: this.#block.rows, rowsOut };
  }

  #read(block: Buffer): void {
    try {
      this.#block.read(block);
    } catch (error) {
      throw faultOf(this.#block.rows, error);
    }
    const { rows } = this.#block;
    if (this.#isKept.length < rows) {
      this.#isKept = new Uint8Array(rows);
      this.#isExempt = new Uint8Array(rows);
    }
    this.#isExempt.fill(0, 0, rows);
  }

  /** How many rows are given. */
  #maskRows(block: Buffer, firstOrdinal: number): number {
    const { rows } = this.#block;
    let rowsOut = 0;
    for (let row = 0; row < rows; row++) {
      try {
        const isKept = this.#table.isKept(firstOrdinal + row);
        this.#isKept[row] = isKept ? 1 : 0;
        if (!isKept) continue;
        rowsOut++;
        if (this.#needed.length > 0) this.#maskRow(block, row, firstOrdinal + row);
      } catch (error) {
        throw faultOf(row, error);
      }
    }
    return rowsOut;
  }

  #maskRow(block: Buffer, row: number, ordinal: number): void {
    const { charset, columns } = this.#options;
    for (const { index, place } of this.#needed) {
      const literal = block.toString('latin1', this.#block.start(row, place), this.#block.end(row, place));
      this.#literals[index] = literal;
      const column = columnAt(columns, index);
      // No rule reads what the server computes, and what a dump has of it is not given.
      const value = column.isGenerated ? null : textOfLiteral(literal, column, charset);
      this.#values[index] = this.#before[index] = value;
    }
    if (!this.#table.mask(this.#values, ordinal)) this.#isExempt[row] = 1;
    for (const { index, isGenerated, whole, literals } of this.#written) {
      const value = this.#values[index] ?? null;
      if (whole !== undefined || isGenerated || value === this.#before[index]) continue;
      literals[row] = literalOfText(value, this.#literals[index] ?? '', columnAt(columns, index), charset);
    }
  }

  #maskColumn({ index, place, literals }: WrittenColumn, whole: WholeColumn, block: Buffer): void {
    const { charset, columns } = this.#options;
    const [{ rows }, { values }, column] = [this.#block, whole, columnAt(columns, index)];
    makeRoom(values, rows);
    // Values that are written otherwise than as plain strings, behind the block.
    const decoded: Buffer[] = [block];
    const others: { row: number; literal: string }[] = [];
    let length = block.length;
    for (let row = 0; row < rows; row++) {
      let [start, end] = [this.#block.start(row, place), this.#block.end(row, place)];
      if (this.#isKept[row] === 0 || this.#isExempt[row] === 1) start = end = ABSENT;
      else if (isPlainString(block, start, end)) {
        start++;
        end--;
      } else {
        const literal = block.toString('latin1', start, end);
        const text = textIn(row, () => textOfLiteral(literal, column, charset));
        if (text === null) start = end = ABSENT;
        else {
          const bytes = Buffer.from(text);
          decoded.push(bytes);
          others.push({ row, literal });
          start = length;
          end = length += bytes.length;
        }
      }
      values.starts[row] = start;
      values.ends[row] = end;
    }
    lieIn(values, decoded.length === 1 ? block : Buffer.concat(decoded, length));
    whole.outputs = whole.mask(values);
    const { bytes, starts, ends } = whole.outputs;
    for (const { row, literal } of others)
      literals[row] = literalOfText(bytes.toString('latin1', starts[row], ends[row]), literal, column, charset);
  }

  #given(block: Buffer): Uint8Array<ArrayBuffer> {
    // Not a byte more: whoever is done with them can free their memory then.
    const bytes = Buffer.allocUnsafeSlow(this.#length());
    const [source, target] = [viewed(block), viewed(bytes)];
    let at = 0;
    for (const statement of this.#block.statements) at = this.#giveStatement(statement, source, target, at);
    return bytes;
  }

  /** Of what is given. */
  #length(): number {
    let length = 0;
    for (const statement of this.#block.statements) length += this.#statementLength(statement);
    return length;
  }

  #statementLength({ from, firstRow, rows, next }: InsertStatement): number {
    const positions = this.#block;
    let length = 0;
    let given = 0;
    for (let row = firstRow; row < firstRow + rows; row++) {
      if (this.#isKept[row] === 0) continue;
      // With what stands between it and the row before, but for the first one.
      length += positions.rowEnd(row) - (given++ === 0 ? positions.rowStart(row) : positions.rowEnd(row - 1));
      for (const { place, isGenerated, whole, literals } of this.#written) {
        const literal = isGenerated ? GENERATED : literals[row];
        const replaced = positions.end(row, place) - positions.start(row, place);
        if (literal !== undefined) length += literal.length - replaced;
        else if (whole !== undefined && whole.values.starts[row] !== ABSENT)
          length += 2 + (whole.outputs.ends[row] as number) - (whole.outputs.starts[row] as number) - replaced;
      }
    }
    if (given === 0) return 0;
    return positions.rowStart(firstRow) - from + length + next - positions.rowEnd(firstRow + rows - 1);
  }

  #giveStatement(
    { from, firstRow, rows, next }: InsertStatement,
    block: ViewedBytes,
    out: ViewedBytes,
    begin: number,
  ): number {
    const positions = this.#block;
    let at = begin;
    let given = 0;
    // What was not given yet begins here.
    let waiting = from;
    for (let row = firstRow; row < firstRow + rows; row++) {
      if (this.#isKept[row] === 0) {
        if (given > 0) at = copied(block, waiting, positions.rowEnd(row - 1), out, at);
        waiting = positions.rowEnd(row);
        continue;
      }
      if (given === 0 && row > firstRow) {
        at = copied(this.#header, 0, this.#header.bytes.length, out, at);
        waiting = positions.rowStart(row);
      }
      given++;
      for (const column of this.#written) {
        const literal = column.isGenerated ? GENERATED : column.literals[row];
        const [start, stop] = [positions.start(row, column.place), positions.end(row, column.place)];
        if (literal !== undefined) {
          at = copied(block, waiting, start, out, at);
          at += out.bytes.write(literal, at, 'latin1');
          waiting = stop;
        } else if (column.whole !== undefined && column.whole.values.starts[row] !== ABSENT) {
          const { outputs } = column.whole;
          at = copied(block, waiting, start + 1, out, at);
          at = copied(outputs, outputs.starts[row] as number, outputs.ends[row] as number, out, at);
          waiting = stop - 1;
        }
      }
    }
    return given === 0 ? at : copied(block, waiting, next, out, at);
  }
}

/** The server computes it again. */
const GENERATED = 'DEFAULT';

function textIn(row: number, text: () => string | null): string | null {
  try {
    return text();
  } catch (error) {
    throw faultOf(row, error);
  }
}

function faultOf(row: number, error: unknown): RowFault {
  return error instanceof UnreadableRow ? new RowFault(row, error.message) : faultAt(row, error);
}

function ascending(indexes: Iterable<number>): number[] {
  return [...new Set(indexes)].sort((one, other) => one - other);
}

function columnAt(columns: readonly LiteralColumn[], at: number): LiteralColumn {
  const column = columns[at];
  if (column === undefined) throw new Error('a column of which nothing is known');
  return column;
}
