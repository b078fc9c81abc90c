import { freeMemory } from '../../../core/freed-memory.ts';
import { expectBack } from '../../../core/given-back.ts';
import { type ContentPart, countsOf } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { RowSource } from '../../masking/row-format.ts';
import { type ColumnPlan, KEEP, type TablePlan } from '../../variant-plan.ts';
import { DerivedColumns } from '../derived-columns.ts';
import { FirstRows } from '../first-rows.ts';
import { tableName, tableNameParts } from '../table-name.ts';
import { knownComments, withoutComments } from './dump-comments.ts';
import type { DumpPiece } from './dump-pieces.ts';
import { type DumpStatement, dumpStatement } from './dump-statement.ts';
import { DumpTables } from './dump-tables.ts';
import { fillingStatement } from './filled-columns.ts';
import { InsertBatch } from './insert-batch.ts';
import { type InsertHeader, insertHeader } from './insert-header.ts';
import type { InsertRowsOptions } from './insert-rows.ts';
import { literalColumn } from './literal-column.ts';
import { blocksOfRows, countRows, UnreadableRow } from './row-reader.ts';
import type { DefinedForeignKey, TableDefinition } from './table-definition.ts';
import { asUnreadable, variantFailed } from './unreadable.ts';

/** What is done to a table's rows. */
interface PlannedRows {
  plan: TablePlan;
  header: InsertHeader;
  /** Undefined where no row is given. */
  source: RowSource | undefined;
  /** False where the rows stay as they are. */
  isChanged: boolean;
}

/** Goes through the pieces of a dump and says what is given for each: itself, something else, rows to be masked, or nothing. */
export class DumpRewriting {
  readonly #run: MaskingRun;
  readonly #plans: ReadonlyMap<string, TablePlan>;
  readonly #tables = new DumpTables();
  readonly #batch = new InsertBatch();
  readonly #derived: DerivedColumns;
  /** By the bytes before the first row, in Latin-1. */
  readonly #headers = new Map<string, PlannedRows>();
  #lastHeader = Buffer.alloc(0);
  #lastRows: PlannedRows | undefined;
  /** Tables and views that are left out, as they are spelt. */
  readonly #dropped = new Set<string>();
  /** Rows of each table so far, where they are selected. */
  readonly #ordinals = new Map<string, number>();

  /** Nothing is masked, selected or left out: all is given byte for byte. */
  readonly #isUntouched: boolean;
  /** How comments name the tables that are left out. */
  readonly #droppedMarks: readonly string[];
  readonly #longest: number;
  readonly #bareSources = new Map<RowSource, RowSource>();
  readonly #first = new FirstRows();
  readonly #isLooking: boolean;

  /** @param longest Bytes of a statement that is given to a thread as a whole */
  constructor(run: MaskingRun, longest = 4 << 20) {
    this.#longest = longest;
    const { content } = run.plan;
    if (content.kind !== 'tables') throw variantFailed('The plan is not one for a dump of a database.');
    this.#run = run;
    this.#derived = new DerivedColumns(run.plan, 'mysql');
    this.#plans = new Map(content.tables.map((plan) => [plan.table, plan]));
    this.#isUntouched =
      run.selection === undefined &&
      content.tables.every(({ fate, columns }) => fate === 'rows' && columns.every(isKept));
    this.#isLooking = run.canary !== undefined && (!this.#isUntouched || run.plan.detectors !== 'none');
    this.#droppedMarks = content.tables.filter(({ fate }) => fate === 'drop').map(({ table }) => markOf(table));
  }

  /** @throws HoldfastError `variant-failed`, `variant-content-unreadable` */
  *piece(piece: DumpPiece): Generator<ContentPart> {
    if (piece.kind === 'statement' && (piece.firstWord === 'insert' || piece.firstWord === 'replace'))
      yield* this.#rows(piece);
    else if (piece.kind === 'gap' && !this.#batch.isEmpty && isSpace(piece.bytes))
      yield* this.#batch.space(piece.bytes);
    else {
      yield* this.#batch.rest();
      // Behind a command there may be another delimiter.
      if (piece.kind !== 'gap') yield* this.#filled();
      const given = piece.kind === 'statement' ? this.#statement(piece) : this.#other(piece);
      if (given === undefined) return;
      yield piece.kind === 'statement' && !this.#isUntouched ? withoutComments(given, piece.delimiter) : given;
    }
  }

  /** After the last piece. */
  *end(): Generator<ContentPart> {
    yield* this.#batch.rest();
    yield* this.#filled();
    const made = new Set([...this.#tables.definitions].map(({ table }) => tableName([table])));
    for (const name of new Set([...made, ...this.#plans.keys()]))
      if (!made.has(name) || !this.#plans.has(name)) throw otherContent(name);
    for (const [name, { rows }] of Object.entries(this.#run.selection?.tables ?? {}))
      if (this.#plans.get(name)?.fate === 'rows' && rows !== (this.#ordinals.get(name) ?? 0)) throw otherRows(name);
    for (const name of this.#plans.keys()) if (this.#plans.get(name)?.fate !== 'drop') countsOf(this.#run, name);
  }

  /** After the rows, before whatever else follows them: a table's triggers stand behind its rows. */
  *#filled(): Generator<ContentPart> {
    for (const due of this.#derived.due()) {
      const definition = this.#tables.definition(tableNameParts(due.table)[0] ?? '');
      yield fillingStatement(due, definition, this.#tables.charset);
    }
  }

  #statement({ bytes, firstWord, delimiter }: DumpPiece & { kind: 'statement' }): Buffer | undefined {
    const said = understood(bytes, firstWord, delimiter);
    this.#forget(said);
    const before = said.kind === 'altered' ? this.#tables.definition(said.table).foreignKeys.length : 0;
    this.#tables.read(bytes, said);
    switch (said.kind) {
      case 'none':
        return undefined;
      case 'table':
        return this.#madeTable(bytes, said.definition);
      case 'altered':
        return this.#alteredTable(bytes, said, this.#tables.definition(said.table).foreignKeys.slice(before));
      case 'index':
        return this.#isDropped(said.table) ? undefined : bytes;
      case 'dropped':
      case 'about': {
        const dropped = said.tables.filter((table) => this.#isDropped(table));
        if (dropped.length === 0) return bytes;
        if (dropped.length === said.tables.length) return undefined;
        throw variantFailed(
          `A statement is about table ${dropped[0]}, which the variant leaves out, and about others. Make the dump with one statement for each table.`,
          { table: dropped[0] },
        );
      }
      case 'view':
        return this.#view(bytes, said);
      default:
        return bytes;
    }
  }

  /** Definitions may have changed: what is known of rows is looked up again. */
  #forget({ kind }: DumpStatement): void {
    if (kind === 'other' || kind === 'about' || kind === 'none') return;
    this.#lastRows = undefined;
    this.#headers.clear();
  }

  #isDropped(table: string): boolean {
    return this.#plans.get(tableName([table]))?.fate === 'drop';
  }

  #madeTable(statement: Buffer, definition: TableDefinition): Buffer | undefined {
    const name = tableName([definition.table]);
    const plan = this.#plans.get(name);
    // One that a later statement drops stands for a view; it may have no rows.
    if (plan === undefined) return statement;
    if (plan.fate === 'drop') {
      this.#dropped.add(definition.table);
      return undefined;
    }
    const isSame =
      plan.columns.length === definition.columns.length &&
      plan.columns.every(({ column }, at) => column === definition.columns[at]?.name);
    if (!isSame) throw otherContent(name);
    return without(
      statement,
      definition.foreignKeys.filter(({ targetTable }) => this.#isDropped(targetTable)),
      name,
    );
  }

  /** @param added The foreign keys that it adds */
  #alteredTable(
    statement: Buffer,
    { table, changes }: DumpStatement & { kind: 'altered' },
    added: readonly DefinedForeignKey[],
  ): Buffer | undefined {
    if (this.#isDropped(table)) return undefined;
    const lost = added.filter(({ targetTable }) => this.#isDropped(targetTable));
    return lost.length > 0 && lost.length === changes.length ? undefined : without(statement, lost, table);
  }

  #view(statement: Buffer, { name, reads }: DumpStatement & { kind: 'view' }): Buffer | undefined {
    if (!reads.some((read) => this.#dropped.has(read))) return statement;
    this.#dropped.add(name);
    return undefined;
  }

  #other({ kind, bytes }: DumpPiece): Buffer {
    return kind === 'gap' && !this.#isUntouched ? knownComments(bytes, this.#droppedMarks) : bytes;
  }

  *#rows({ bytes, delimiter, isJoined }: DumpPiece & { kind: 'statement' }): Generator<ContentPart> {
    const rows = this.#plannedRows(bytes, delimiter);
    const { plan, header } = rows;
    const isFirst = this.#isLooking && plan.fate === 'rows' && this.#first.has(plan.table, bytes.length);
    const source = rows.isChanged || isFirst ? rows.source : undefined;
    this.#derived.noteRows(plan.table);
    const isSelected = plan.fate === 'rows' && this.#run.selection !== undefined;
    if (isSelected && !Object.hasOwn(this.#run.selection?.tables ?? {}, plan.table)) throw otherRows(plan.table);
    const needsCount = source === undefined || isSelected;
    const count = needsCount ? this.#count(bytes, header, plan.table) : 0;
    if (source !== undefined) {
      const first = this.#ordinals.get(plan.table) ?? 0;
      this.#ordinals.set(plan.table, first + count);
      if (bytes.length > this.#longest && !isSelected) yield* this.#longStatement(bytes, rows, source, isJoined);
      else yield* this.#batch.statement(bytes, source, first);
      // Unless it was moved to a thread.
      if (isJoined) freeMemory(bytes);
      return;
    }
    yield* this.#batch.rest();
    if (plan.fate !== 'drop') countsOf(this.#run, plan.table).rowsIn += count;
    if (plan.fate === 'rows') {
      countsOf(this.#run, plan.table).rowsOut += count;
      yield isJoined ? expectBack(bytes) : bytes;
    } else if (isJoined) freeMemory(bytes);
  }

  /**
   * Rows of a long statement are masked in several blocks, between its first words and its end.
   * @param isJoined Whether its memory may be moved to a thread
   */
  *#longStatement(
    bytes: Buffer,
    { header, plan }: PlannedRows,
    source: RowSource,
    isJoined: boolean | undefined,
  ): Generator<ContentPart> {
    yield* this.#batch.rest();
    const rows = this.#bare(source);
    const blocks = this.#blocks(bytes, header, plan.table);
    // Mostly one giant row: it would be there twice. Shorter statements lie in the pool of Node.js, which is everybody's.
    const ownsMemory = isJoined === true && blocks.length === 1 && bytes.length === bytes.buffer.byteLength;
    const rest = Buffer.from(bytes.subarray(blocks.at(-1)?.end));
    let given = 0;
    for (const { start, end } of blocks) {
      yield Buffer.from(bytes.subarray(given, start));
      yield { rows, bytes: bytes.subarray(start, end), ownsMemory };
      given = end;
    }
    yield rest;
  }

  #blocks(bytes: Buffer, { rowsAt }: InsertHeader, table: string): { start: number; end: number }[] {
    try {
      return [...blocksOfRows(bytes, rowsAt, this.#longest / 4)];
    } catch (error) {
      throw rowError(error, table);
    }
  }

  /** The same rows without what stands before them. */
  #bare(source: RowSource): RowSource {
    const known = this.#bareSources.get(source);
    const bare = known ?? { ...source, options: { ...source.options, header: '' } };
    this.#bareSources.set(source, bare);
    return bare;
  }

  #count(bytes: Buffer, { rowsAt }: InsertHeader, table: string): number {
    try {
      return countRows(bytes, rowsAt);
    } catch (error) {
      throw rowError(error, table);
    }
  }

  #plannedRows(statement: Buffer, delimiter: string): PlannedRows {
    const last = this.#lastHeader;
    const isLast = last.length > 0 && last.equals(statement.subarray(0, last.length));
    if (isLast && this.#lastRows !== undefined) return this.#lastRows;
    understood(statement, 'insert', delimiter);
    const header = insertHeader(statement);
    const plan = this.#plans.get(tableName([header.table]));
    if (plan === undefined) throw otherContent(header.table);
    const columns = this.#tables.columnsOf(header);
    const text = statement.toString('latin1', 0, header.rowsAt);
    const isChanged = !plan.columns.every(isKept) || Object.hasOwn(this.#run.selection?.tables ?? {}, plan.table);
    const known = this.#headers.get(text);
    const options: InsertRowsOptions = {
      header: text,
      charset: this.#tables.charset,
      columns: columns.map(literalColumn),
    };
    const source: RowSource | undefined =
      plan.fate === 'rows'
        ? (known?.source ?? {
            table: plan.table,
            columns: columns.map(({ name }) => name),
            format: 'mysql-insert',
            options: { ...options },
          })
        : undefined;
    const rows = { plan, header, source, isChanged };
    this.#headers.set(text, rows);
    this.#lastHeader = Buffer.from(statement.subarray(0, header.rowsAt + 1));
    this.#lastRows = rows;
    return rows;
  }
}

function understood(statement: Buffer, firstWord: string, delimiter: string): DumpStatement {
  try {
    return dumpStatement(statement, firstWord, delimiter);
  } catch (error) {
    throw asUnreadable(error);
  }
}

function isKept({ rule }: ColumnPlan): boolean {
  return rule.transformer === KEEP;
}

/** A table's name in backquotes, in Latin-1. */
function markOf(table: string): string {
  const name = tableNameParts(table)[0]?.replaceAll('`', '``');
  return Buffer.from(`\`${name}\``).toString('latin1');
}

function rowError(error: unknown, table: string): unknown {
  if (!(error instanceof UnreadableRow)) return error;
  return variantFailed(`A row of table ${table} cannot be read: ${error.message}.`, { table });
}

function isSpace(bytes: Buffer): boolean {
  return /^[ \t\r\n]*$/.test(bytes.toString('latin1'));
}

/** A CREATE TABLE without some of its foreign keys. */
function without(statement: Buffer, keys: readonly DefinedForeignKey[], table: string): Buffer {
  if (keys.length === 0) return statement;
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end, isInline } of [...keys].sort((one, other) => one.start - other.start)) {
    if (!isInline && statement[start] !== 0x2c)
      throw variantFailed(
        `Table ${table} begins with a foreign key to a table that the variant leaves out. Keep the structure of that one.`,
        {
          table,
        },
      );
    parts.push(statement.subarray(from, start));
    from = end;
  }
  return Buffer.concat([...parts, statement.subarray(from)]);
}

function otherRows(table: string) {
  return variantFailed(
    `Table ${table} has not the rows that it had when those of the variant were chosen. Make the variant again.`,
    { table },
  );
}

function otherContent(table: string) {
  return variantFailed(
    `The dump is not the one that the plan was made for: table ${table} is another, or is not there. Make the variant again.`,
    { table },
  );
}
