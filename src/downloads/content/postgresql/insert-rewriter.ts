import type { RowBlockPart } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { RowFault } from '../../masking/row-fault.ts';
import type { RowSource } from '../../masking/row-format.ts';
import type { DerivedColumns } from '../derived-columns.ts';
import { FirstRows } from '../first-rows.ts';
import { knownComments } from './gap-comments.ts';
import { insertHead } from './insert-head.ts';
import { InsertValues } from './insert-values.ts';
import type { PlannedRows, RowsFate } from './planned-rows.ts';
import { checkColumns, defaultColumns, generatedAmong, unnamedColumns } from './row-columns.ts';
import type { SchemaReader } from './schema-reader.ts';
import { variantFailed } from './unreadable.ts';

type Part = Uint8Array | RowBlockPart;

/** INSERT statements that begin alike. */
interface InsertRows extends RowsFate {
  head: Buffer;
  columns: number;
  source: RowSource;
  /** Statements that wait to be a block. */
  waiting: Buffer[];
  waitingBytes: number;
}

const BLOCK = 256 << 10;

/** Makes the parts of a variant of the INSERT statements of a dump. */
export class InsertRewriter {
  readonly #run: MaskingRun;
  readonly #rows: PlannedRows;
  readonly #schema: SchemaReader;
  readonly #derived: DerivedColumns;
  readonly #first = new FirstRows();
  #insert: InsertRows | undefined;

  /** @param schema As far as it is known by now */
  constructor(run: MaskingRun, rows: PlannedRows, schema: SchemaReader, derived: DerivedColumns) {
    this.#run = run;
    this.#derived = derived;
    this.#rows = rows;
    this.#schema = schema;
  }

  /** Whether a statement may stand in one block with those before it. Otherwise `flush` comes first. @param gap What stands before it */
  continues(statement: Buffer, gap: Buffer): boolean {
    return this.#insert !== undefined && startsWith(statement, this.#insert.head) && isSpace(gap);
  }

  /** @throws HoldfastError `variant-failed`, `variant-content-unreadable` */
  *statement(bytes: Buffer, gap: Buffer): Generator<Part> {
    if (this.#insert !== undefined) yield* this.#inserted(this.#insert, bytes, gap);
    else yield* this.#begins(bytes, gap);
  }

  *flush(): Generator<Part> {
    if (this.#insert !== undefined) yield* this.#block(this.#insert);
    this.#insert = undefined;
  }

  *#begins(bytes: Buffer, gap: Buffer): Generator<Part> {
    const { table, columns: named, head } = insertHead(bytes);
    const name = this.#schema.nameOf(table);
    const fate = this.#rows.of(name);
    const definition = this.#schema.table(name);
    const all = definition && defaultColumns(definition, true);
    const columns = head === undefined ? [] : (named ?? unnamedColumns(fate.plan, all));
    if (fate.kind !== 'skip') checkColumns(fate.plan, definition, columns);
    if (fate.kind !== 'skip') this.#derived.noteRows(name);
    if (head === undefined) {
      yield* this.#emptyRow(fate, bytes, gap);
      return;
    }
    const options = { head: head.toString('latin1'), generated: generatedAmong(columns, definition) };
    const source = this.#rows.source({ table: name, columns, format: 'postgresql-insert', options });
    this.#insert = { ...fate, head, columns: columns.length, source, waiting: [], waitingBytes: 0 };
    // Only white space may be within a block.
    if (fate.kind !== 'skip') yield knownComments(gap);
    yield* this.#inserted(this.#insert, bytes, Buffer.alloc(0));
  }

  /** A row without fields. */
  *#emptyRow(fate: RowsFate, bytes: Buffer, gap: Buffer): Generator<Part> {
    const selected = this.#run.selection?.tables[fate.plan.table];
    const ordinal = this.#rows.count(fate, 1);
    const isKept = selected === undefined || ((selected.kept[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0;
    if (fate.kind === 'mask') fate.counts.rowsOut += isKept ? 1 : 0;
    if (fate.kind === 'skip' || !isKept) return;
    yield knownComments(gap);
    yield bytes;
  }

  *#inserted(insert: InsertRows, bytes: Buffer, gap: Buffer): Generator<Part> {
    const isFirst = insert.kind === 'pass' && this.#rows.isLooking && this.#first.has(insert.plan.table, bytes.length);
    if (insert.kind === 'mask' || isFirst) {
      if (gap.length > 0) insert.waiting.push(gap);
      if (insert.waitingBytes >= BLOCK) yield* this.#block(insert);
      insert.waiting.push(bytes);
      insert.waitingBytes += bytes.length;
      return;
    }
    yield* this.#block(insert);
    this.#rows.count(insert, countRows(bytes, insert));
    if (insert.kind === 'skip') return;
    if (gap.length > 0) yield gap;
    yield bytes;
  }

  *#block(insert: InsertRows): Generator<Part> {
    if (insert.waiting.length === 0) return;
    const bytes = new Uint8Array(Buffer.concat(insert.waiting));
    insert.waiting = [];
    insert.waitingBytes = 0;
    yield this.#rows.block(insert.source, bytes, () => countRows(Buffer.from(bytes.buffer), insert));
  }
}

/** @throws HoldfastError `variant-failed` where the rows are not of literals */
function countRows(bytes: Buffer, { head, columns, plan }: InsertRows): number {
  const reader = new InsertValues(bytes.toString('latin1'));
  try {
    reader.skipSpace();
    while (reader.at < bytes.length) {
      reader.at += head.length;
      do reader.readRow(columns);
      while (reader.hasAnother());
      reader.skipSpace();
    }
  } catch (error) {
    if (!(error instanceof RowFault)) throw error;
    const { table } = plan;
    throw variantFailed(`A row of table "${table}" cannot be read: ${error.what}.`, { table });
  }
  return reader.row;
}

function startsWith(bytes: Buffer, head: Buffer): boolean {
  return bytes.length >= head.length && bytes.compare(head, 0, head.length, 0, head.length) === 0;
}

function isSpace(gap: Buffer): boolean {
  return gap.length < 1000 && /^\s*$/.test(gap.toString('latin1'));
}
