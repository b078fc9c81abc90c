import type { RowBlockPart } from '../../masking/masking-pool.ts';
import { countsOf } from '../../masking/masking-pool.ts';
import type { MaskingRun, TableCounts } from '../../masking/masking-run.ts';
import { RowFault } from '../../masking/row-fault.ts';
import type { RowSource } from '../../masking/row-format.ts';
import type { SqlPiece } from '../../sql/sql-lexer.ts';
import { tokensOf } from '../../sql/sql-tokens.ts';
import { KEEP, type TablePlan } from '../../variant-plan.ts';
import { type BlockOfChosen, ChosenRows } from './chosen-rows.ts';
import { Definition, decoded, stringOf } from './definition.ts';
import { DroppedTables } from './dropped-tables.ts';
import { knownComments } from './gap-comments.ts';
import { insertHead } from './insert-head.ts';
import { InsertValues } from './insert-values.ts';
import { countLineEnds, RowBlocks } from './row-blocks.ts';
import { checkColumns, defaultColumns, generatedAmong } from './row-columns.ts';
import { SchemaReader } from './schema-reader.ts';
import { givenOf, hasComment, refusal, statementKind } from './statement-kind.ts';
import { unreadable, variantFailed } from './unreadable.ts';

type Part = Uint8Array | RowBlockPart;

/** What becomes of the rows of a table. */
interface RowsFate {
  kind: 'pass' | 'skip' | 'mask';
  counts: TableCounts;
  plan: TablePlan;
}

/** The rows of a COPY that is being read. */
interface CopyRows extends RowsFate {
  source?: RowSource;
  blocks?: RowBlocks;
  /** Instead of blocks, where rows are selected. */
  chosen?: ChosenRows;
}

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
const END_OF_ROWS = Buffer.from('\\.\n');

/** Makes the parts of a variant of the pieces of a dump, in their order. */
export class DumpRewriter {
  readonly #run: MaskingRun;
  readonly #plans: ReadonlyMap<string, TablePlan>;
  readonly #schema = new SchemaReader();
  readonly #dropped: DroppedTables;
  /** Ordinals, where rows are selected: they must be known before the rows are masked. */
  readonly #ordinals = new Map<string, number>();
  /** The same rows have the same source wherever they stand, so that threads need not prepare for them anew. */
  readonly #sources = new Map<string, RowSource>();
  readonly #isMasking: boolean;
  /** What stands before the next statement: it goes with it. */
  #gap: Buffer = Buffer.alloc(0);
  #copy: CopyRows | undefined;
  #insert: InsertRows | undefined;
  /** A sequence that may turn out to belong to a dropped table, and what was said of it. */
  #held: { sequence: string; parts: Buffer[] } | undefined;

  constructor(run: MaskingRun) {
    this.#run = run;
    const tables = run.plan.content.kind === 'tables' ? run.plan.content.tables : [];
    this.#plans = new Map(tables.map((plan) => [plan.table, plan]));
    const dropped = tables.filter(({ fate }) => fate === 'drop').map(({ table }) => table);
    this.#dropped = new DroppedTables(dropped, this.#schema);
    this.#isMasking = tables.some((plan) => this.#fateOf(plan) === 'mask');
  }

  /** @throws HoldfastError `variant-failed`, `variant-content-unreadable` */
  *parts(piece: SqlPiece): Generator<Part> {
    switch (piece.kind) {
      case 'rows':
        yield* this.#rows(piece.bytes);
        return;
      case 'rows-end':
        yield* this.#rowsEnd(piece.bytes);
        return;
      case 'gap':
        this.#gap = this.#gap.length === 0 ? piece.bytes : Buffer.concat([this.#gap, piece.bytes]);
        return;
      case 'command':
        this.#refuseCommand(piece.bytes);
        return;
      case 'statement':
        yield* piece.copy === undefined ? this.#statement(piece) : this.#copyBegins(piece);
        return;
      case 'rest':
        throw variantFailed('The dump ends in the midst of a statement, so the variant is given up.');
    }
  }

  /** After the last piece. */
  *end(): Generator<Part> {
    yield* this.#flush();
    yield knownComments(this.#gap);
    for (const [table, { rows }] of Object.entries(this.#run.selection?.tables ?? {})) {
      if ((this.#ordinals.get(table) ?? 0) !== rows && this.#plans.get(table)?.fate === 'rows') throw otherRows(table);
    }
  }

  *#statement(piece: SqlPiece & { kind: 'statement' }): Generator<Part> {
    const { bytes, firstWord } = piece;
    const kind = statementKind(bytes, firstWord);
    if (kind === 'insert') {
      yield* this.#insertStatement(bytes);
      return;
    }
    yield* this.#flushRows();
    if (kind === 'unknown' || kind === 'commented') throw unreadable(refusal(bytes, kind));
    if (kind === 'left out') {
      this.#gap = Buffer.alloc(0);
      return;
    }
    if (firstWord === 'set') this.#checkSetting(bytes);
    if (firstWord === 'alter' && this.#isOfHeld(bytes)) return;
    yield* this.#flushHeld();
    this.#schema.read(bytes, firstWord);
    const sequence = firstWord === 'create' ? this.#dropped.madeSequence(bytes) : undefined;
    if (sequence !== undefined) this.#held = { sequence, parts: this.#withGap(bytes) };
    else if (this.#dropped.takes(bytes, firstWord)) this.#gap = Buffer.alloc(0);
    else yield* this.#withGap(givenOf(bytes, firstWord));
  }

  /** Takes a statement that speaks of the sequence which is held. */
  #isOfHeld(statement: Buffer): boolean {
    if (this.#held === undefined) return false;
    const said = this.#dropped.saysOf(this.#held.sequence, statement);
    if (said === undefined) return false;
    if (said === 'other') this.#held.parts.push(...this.#withGap(statement));
    else this.#held = undefined;
    this.#gap = Buffer.alloc(0);
    return true;
  }

  #withGap(statement: Buffer): Buffer[] {
    const gap = knownComments(this.#gap);
    this.#gap = Buffer.alloc(0);
    return gap.length === 0 ? [statement] : [gap, statement];
  }

  *#flush(): Generator<Part> {
    yield* this.#flushRows();
    yield* this.#flushHeld();
  }

  *#flushHeld(): Generator<Part> {
    yield* this.#held?.parts ?? [];
    this.#held = undefined;
  }

  *#copyBegins({ bytes, copy }: SqlPiece & { kind: 'statement' }): Generator<Part> {
    yield* this.#flush();
    if (hasComment(bytes, tokensOf(bytes, 'postgresql'))) throw unreadable(refusal(bytes, 'commented'));
    const name = this.#schema.nameOf((copy?.table ?? []).map(decoded));
    const fate = this.#rowsFate(name);
    const definition = this.#schema.table(name);
    const columns = copy?.columns?.map(decoded) ?? unnamed(fate.plan, definition && defaultColumns(definition, false));
    this.#copy = fate;
    if (fate.plan.fate === 'drop') {
      this.#gap = Buffer.alloc(0);
      return;
    }
    yield* this.#withGap(bytes);
    if (fate.kind === 'skip') return;
    checkColumns(fate.plan, definition, columns);
    if (generatedAmong(columns, definition).length > 0) throw computed(name);
    const selected = this.#run.selection?.tables[name];
    if (selected !== undefined) {
      this.#copy = {
        ...fate,
        source: this.#source({ table: name, columns, format: 'postgresql-chosen-copy' }),
        chosen: new ChosenRows(name, selected, this.#ordinals.get(name) ?? 0),
      };
      return;
    }
    // Of rows that no rule changes, the canary looks at the first ones.
    if (fate.kind === 'mask' || (this.#isMasking && this.#run.canary !== undefined))
      this.#copy = {
        ...fate,
        source: this.#source({ table: name, columns, format: 'postgresql-copy' }),
        blocks: new RowBlocks(name),
      };
  }

  *#rows(bytes: Buffer): Generator<Part> {
    const copy = this.#copy;
    if (copy === undefined) return;
    if (copy.kind === 'pass' && copy.counts.rowsIn > 0) yield* this.#unwatched(copy);
    if (copy.chosen !== undefined) for (const block of copy.chosen.push(bytes)) yield chosenBlock(copy, block);
    else if (copy.blocks !== undefined) for (const block of copy.blocks.push(bytes)) yield copyBlock(copy, block);
    else {
      this.#count(copy, countLineEnds(bytes));
      if (copy.kind === 'pass') yield bytes;
    }
  }

  /** What waits to be looked at is given as it is: others were. */
  *#unwatched(copy: CopyRows): Generator<Part> {
    const held = copy.blocks?.given();
    delete copy.blocks;
    if (held === undefined) return;
    this.#count(copy, countLineEnds(held));
    yield held;
  }

  *#rowsEnd(bytes: Buffer): Generator<Part> {
    const copy = this.#copy;
    this.#copy = undefined;
    const rest = copy?.blocks?.rest();
    if (copy !== undefined && rest !== undefined) yield copyBlock(copy, rest);
    const restOfChosen = copy?.chosen?.rest();
    if (copy !== undefined && restOfChosen !== undefined) yield chosenBlock(copy, restOfChosen);
    if (copy?.chosen !== undefined) this.#ordinals.set(copy.plan.table, copy.chosen.ordinal);
    // The lexer may have given a part of the line as rows.
    if (copy?.kind === 'pass' && copy.blocks === undefined) yield bytes;
    else if (copy?.plan.fate !== 'drop') yield END_OF_ROWS;
  }

  *#insertStatement(bytes: Buffer): Generator<Part> {
    const insert = this.#insert;
    if (insert === undefined || !startsWith(bytes, insert.head) || !isSpace(this.#gap)) {
      yield* this.#flush();
      if (!(yield* this.#insertBegins(bytes))) return;
    }
    yield* this.#inserted(bytes);
  }

  /** False where that was all: a row without fields. */
  *#insertBegins(bytes: Buffer): Generator<Part, boolean> {
    const { table, columns: named, head } = insertHead(bytes);
    const name = this.#schema.nameOf(table);
    const fate = this.#rowsFate(name);
    const definition = this.#schema.table(name);
    const all = definition && defaultColumns(definition, true);
    const columns = head === undefined ? [] : (named ?? unnamed(fate.plan, all));
    if (fate.kind !== 'skip') checkColumns(fate.plan, definition, columns);
    if (head === undefined) {
      yield* this.#emptyRow(fate, bytes);
      return false;
    }
    const options = { head: head.toString('latin1'), generated: generatedAmong(columns, definition) };
    const source = this.#source({ table: name, columns, format: 'postgresql-insert', options });
    this.#insert = { ...fate, head, columns: columns.length, source, waiting: [], waitingBytes: 0 };
    // Only white space may be within a block.
    if (fate.kind === 'mask') yield knownComments(this.#gap);
    if (fate.kind === 'mask') this.#gap = Buffer.alloc(0);
    return true;
  }

  *#emptyRow(fate: RowsFate, bytes: Buffer): Generator<Part> {
    const { table } = fate.plan;
    const selected = this.#run.selection?.tables[table];
    const ordinal = fate.counts.rowsIn;
    this.#count(fate, 1);
    const isKept = selected === undefined || ((selected.kept[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0;
    if (fate.kind === 'mask') fate.counts.rowsOut += isKept ? 1 : 0;
    if (fate.kind === 'skip' || !isKept) this.#gap = Buffer.alloc(0);
    else yield* this.#withGap(bytes);
  }

  *#inserted(bytes: Buffer): Generator<Part> {
    const insert = this.#insert;
    if (insert === undefined) return;
    if (insert.kind === 'mask') {
      if (this.#gap.length > 0) insert.waiting.push(this.#gap);
      if (insert.waitingBytes >= BLOCK) yield* this.#insertBlock(insert);
      insert.waiting.push(bytes);
      insert.waitingBytes += bytes.length;
      this.#gap = Buffer.alloc(0);
      return;
    }
    this.#count(insert, countRows(bytes, insert));
    if (insert.kind === 'pass') yield* this.#withGap(bytes);
    else this.#gap = Buffer.alloc(0);
  }

  *#insertBlock(insert: InsertRows): Generator<Part> {
    if (insert.waiting.length === 0) return;
    const bytes = new Uint8Array(Buffer.concat(insert.waiting));
    insert.waiting = [];
    insert.waitingBytes = 0;
    const { table } = insert.plan;
    if (this.#run.selection === undefined) yield { rows: insert.source, bytes };
    else {
      const rows = countRows(Buffer.from(bytes.buffer), insert);
      yield { rows: insert.source, bytes, firstOrdinal: this.#nextOrdinal(table, rows) };
    }
  }

  *#flushRows(): Generator<Part> {
    if (this.#insert?.kind === 'mask') yield* this.#insertBlock(this.#insert);
    this.#insert = undefined;
  }

  #source(source: RowSource): RowSource {
    const key = JSON.stringify(source);
    const known = this.#sources.get(key) ?? source;
    this.#sources.set(key, known);
    return known;
  }

  #rowsFate(name: string): RowsFate {
    const plan = this.#plans.get(name);
    if (plan === undefined) throw unplanned(name);
    const { selection } = this.#run;
    const isSelected = selection === undefined || Object.hasOwn(selection.tables, name);
    if (plan.fate === 'rows' && !isSelected) throw notSelected(name);
    return { kind: this.#fateOf(plan), counts: countsOf(this.#run, name), plan };
  }

  #fateOf(plan: TablePlan): RowsFate['kind'] {
    if (plan.fate !== 'rows') return 'skip';
    const isSelected = Object.hasOwn(this.#run.selection?.tables ?? {}, plan.table);
    return isSelected || plan.columns.some(({ rule }) => rule.transformer !== KEEP) ? 'mask' : 'pass';
  }

  #count({ kind, counts, plan: { table } }: RowsFate, rows: number): void {
    counts.rowsIn += rows;
    if (kind === 'pass') counts.rowsOut += rows;
    this.#nextOrdinal(table, rows);
  }

  #nextOrdinal(table: string, rows: number): number {
    const first = this.#ordinals.get(table) ?? 0;
    this.#ordinals.set(table, first + rows);
    return first;
  }

  /** Strings are read as the standard has it, and values as UTF-8. */
  #checkSetting(statement: Buffer): void {
    const [, name, , value] = Definition.of(statement).tokens;
    const setting = (stringOf(value) ?? value?.text ?? '').toLowerCase();
    if (name?.text === 'standard_conforming_strings' && !['on', 'true', 'yes', '1'].includes(setting))
      throw variantFailed(
        'The dump was made with standard_conforming_strings off, with which strings mean something else.',
      );
    if (name?.text === 'client_encoding' && this.#isMasking && !['utf8', 'utf-8', 'unicode'].includes(setting))
      throw variantFailed(
        `The dump's encoding is not UTF8, and rules work on Unicode. Make it with pg_dump --encoding=UTF8, or keep every column.`,
      );
  }

  /** The key of `\restrict` is another one each time, and no command is let through that it would guard against. */
  #refuseCommand(line: Buffer): void {
    const name = /^\\([a-z]*)/.exec(line.toString('latin1', 0, 40))?.[1] ?? '';
    if (name === 'restrict' || name === 'unrestrict') return;
    throw variantFailed(
      'The dump holds a command for psql, which cannot be in a variant. Make it with pg_dump, of one database and without --create.',
    );
  }
}

function copyBlock({ source, plan: { table } }: CopyRows, bytes: Uint8Array<ArrayBuffer>): RowBlockPart {
  return { rows: source ?? { table, columns: [], format: 'postgresql-copy' }, bytes };
}

function chosenBlock({ source, plan: { table } }: CopyRows, { bytes, firstOrdinal }: BlockOfChosen): RowBlockPart {
  return { rows: source ?? { table, columns: [], format: 'postgresql-chosen-copy' }, bytes, firstOrdinal };
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

function unplanned(table: string) {
  return variantFailed(
    `The dump has rows of table "${table}", which the plan does not name. Name the table in the policy, with \`structure\` if its rows are not wanted.`,
    { table },
  );
}

/** The columns of rows whose statement names none. */
function unnamed({ table, columns }: TablePlan, defined: string[] | undefined): string[] {
  if (defined !== undefined) return defined;
  if (columns.length === 0) return [];
  const message = `The dump has rows of table "${table}" without a definition of it and without the names of its columns.`;
  throw variantFailed(message, { table });
}

function computed(table: string) {
  const message = `The rows of table "${table}" hold values of a column that the database computes from others, which no rule masks. Make the dump with pg_dump.`;
  return variantFailed(message, { table });
}

function notSelected(table: string) {
  return variantFailed(
    `The dump has rows of table "${table}", of which none were selected nor left away. If it is partitioned, make the dump without --load-via-partition-root.`,
    { table },
  );
}

function otherRows(table: string) {
  return variantFailed(
    `Table "${table}" has another number of rows than those were selected of. Make the variant anew.`,
    { table },
  );
}
