import type { RowBlockPart } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { RowSource } from '../../masking/row-format.ts';
import type { SqlPiece } from '../../sql/sql-lexer.ts';
import { hasComment, tokensOf } from '../../sql/sql-tokens.ts';
import { DerivedColumns } from '../derived-columns.ts';
import type { SiftedRows } from './archive-sieve.ts';
import type { ChosenRows } from './chosen-rows.ts';
import { Definition, decoded, stringOf } from './definition.ts';
import { DroppedTables } from './dropped-tables.ts';
import { fillingStatement } from './filled-columns.ts';
import { knownComments } from './gap-comments.ts';
import { InsertRewriter } from './insert-rewriter.ts';
import { PlannedRows, type RowsFate } from './planned-rows.ts';
import { countLineEnds, RowBlocks } from './row-blocks.ts';
import { checkColumns, defaultColumns, generatedAmong, unnamedColumns } from './row-columns.ts';
import { SchemaReader } from './schema-reader.ts';
import { givenOf, refusal, statementKind } from './statement-kind.ts';
import { unreadable, variantFailed } from './unreadable.ts';

type Part = Uint8Array | RowBlockPart;

/** The rows of a COPY that is being read. */
interface CopyRows extends RowsFate {
  source?: RowSource;
  blocks?: RowBlocks;
  /** Instead of blocks, where rows are selected. */
  chosen?: ChosenRows;
}

const END_OF_ROWS = Buffer.from('\\.\n');

/** Makes the parts of a variant of the pieces of a dump, in their order. */
export class DumpRewriter {
  readonly #planned: PlannedRows;
  readonly #schema = new SchemaReader();
  readonly #sifted: SiftedRows;
  readonly #dropped: DroppedTables;
  readonly #inserts: InsertRewriter;
  readonly #derived: DerivedColumns;
  /** What stands before the next statement: it goes with it. */
  #gap: Buffer = Buffer.alloc(0);
  #copy: CopyRows | undefined;
  /** A sequence that may turn out to belong to a dropped table, and what was said of it. */
  #held: { sequence: string; parts: Buffer[] } | undefined;

  /** @param sifted of tables whose rows were left out that are not chosen */
  constructor(run: MaskingRun, sifted: SiftedRows = () => undefined) {
    const tables = run.plan.content.kind === 'tables' ? run.plan.content.tables : [];
    const dropped = tables.filter(({ fate }) => fate === 'drop').map(({ table }) => table);
    this.#dropped = new DroppedTables(dropped, this.#schema);
    this.#planned = new PlannedRows(run, sifted);
    this.#sifted = sifted;
    this.#derived = new DerivedColumns(run.plan, 'postgresql');
    this.#inserts = new InsertRewriter(run, this.#planned, this.#schema, this.#derived);
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
    yield* this.#filled();
    yield knownComments(this.#gap);
    this.#planned.requireSelected();
  }

  *#statement(piece: SqlPiece & { kind: 'statement' }): Generator<Part> {
    const { bytes, firstWord } = piece;
    const kind = statementKind(bytes, firstWord);
    if (kind === 'insert') {
      const gap = this.#gap;
      this.#gap = Buffer.alloc(0);
      if (!this.#inserts.continues(bytes, gap)) yield* this.#flush();
      yield* this.#inserts.statement(bytes, gap);
      return;
    }
    yield* this.#inserts.flush();
    yield* this.#filled();
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
    yield* this.#inserts.flush();
    yield* this.#flushHeld();
  }

  /** After the rows, before whatever else follows them. */
  *#filled(): Generator<Part> {
    for (const due of this.#derived.due())
      yield fillingStatement(due, this.#schema.table(due.table)?.isPartitioned === true);
  }

  *#flushHeld(): Generator<Part> {
    yield* this.#held?.parts ?? [];
    this.#held = undefined;
  }

  *#copyBegins({ bytes, copy }: SqlPiece & { kind: 'statement' }): Generator<Part> {
    yield* this.#flush();
    if (hasComment(bytes, tokensOf(bytes, 'postgresql'))) throw unreadable(refusal(bytes, 'commented'));
    const name = this.#schema.nameOf((copy?.table ?? []).map(decoded));
    const fate = this.#planned.of(name);
    const definition = this.#schema.table(name);
    const columns =
      copy?.columns?.map(decoded) ?? unnamedColumns(fate.plan, definition && defaultColumns(definition, false));
    this.#copy = fate;
    if (fate.plan.fate === 'drop') {
      this.#gap = Buffer.alloc(0);
      return;
    }
    yield* this.#withGap(bytes);
    if (fate.kind === 'skip') return;
    checkColumns(fate.plan, definition, columns);
    if (generatedAmong(columns, definition).length > 0) throw computed(name);
    this.#derived.noteRows(name);
    const chosen = this.#planned.chosen(name);
    if (chosen !== undefined) {
      const source = this.#planned.source({ table: name, columns, format: 'postgresql-chosen-copy' });
      this.#copy = { ...fate, source, chosen };
      return;
    }
    // Of rows that no rule changes, the canary looks at the first ones.
    if (fate.kind === 'mask' || this.#planned.isLooking)
      this.#copy = {
        ...fate,
        source: this.#planned.source({ table: name, columns, format: 'postgresql-copy' }),
        blocks: new RowBlocks(name),
      };
  }

  *#rows(bytes: Buffer): Generator<Part> {
    const copy = this.#copy;
    if (copy === undefined) return;
    if (copy.kind === 'pass' && copy.counts.rowsIn > 0) yield* this.#unwatched(copy);
    if (copy.chosen !== undefined)
      for (const block of copy.chosen.push(bytes)) yield this.#block(copy, block.bytes, () => block.span);
    else if (copy.blocks !== undefined)
      for (const block of copy.blocks.push(bytes)) yield this.#block(copy, block, () => countLineEnds(block));
    else {
      this.#planned.count(copy, countLineEnds(bytes));
      if (copy.kind === 'pass') yield bytes;
    }
  }

  /** What waits to be looked at is given as it is: others were. */
  *#unwatched(copy: CopyRows): Generator<Part> {
    const held = copy.blocks?.given();
    delete copy.blocks;
    if (held === undefined) return;
    this.#planned.count(copy, countLineEnds(held));
    yield held;
  }

  *#rowsEnd(bytes: Buffer): Generator<Part> {
    const copy = this.#copy;
    this.#copy = undefined;
    const rest = copy?.blocks?.rest();
    if (copy !== undefined && rest !== undefined) yield this.#block(copy, rest, () => countLineEnds(rest));
    const rows = copy && this.#sifted(copy.plan.table);
    if (copy?.kind === 'skip' && rows !== undefined) this.#planned.count(copy, rows);
    const chosen = copy?.chosen?.rest(rows);
    if (copy !== undefined && chosen !== undefined) yield this.#block(copy, chosen.bytes, () => chosen.span);
    // The lexer may have given a part of the line as rows.
    if (copy?.kind === 'pass' && copy.blocks === undefined) yield bytes;
    else if (copy?.plan.fate !== 'drop') yield END_OF_ROWS;
  }

  #block({ source, plan: { table } }: CopyRows, bytes: Uint8Array<ArrayBuffer>, count: () => number): RowBlockPart {
    return this.#planned.block(source ?? { table, columns: [], format: 'postgresql-copy' }, bytes, count);
  }

  /** Strings are read as the standard has it, and values as UTF-8. */
  #checkSetting(statement: Buffer): void {
    const [, name, , value] = Definition.of(statement).tokens;
    const setting = (stringOf(value) ?? value?.text ?? '').toLowerCase();
    if (name?.text === 'standard_conforming_strings' && !['on', 'true', 'yes', '1'].includes(setting))
      throw variantFailed(
        'The dump was made with standard_conforming_strings off, with which strings mean something else.',
      );
    if (name?.text !== 'client_encoding' || ['utf8', 'utf-8', 'unicode'].includes(setting)) return;
    if (this.#planned.isMasking)
      throw variantFailed(
        `The dump's encoding is not UTF8, and rules work on Unicode. Make it with pg_dump --encoding=UTF8, or keep every column.`,
      );
    // Values that nobody can read are not looked at.
    this.#planned.isLooking = false;
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

function computed(table: string) {
  const message = `The rows of table "${table}" hold values of a column that the database computes from others, which no rule masks. Make the dump with pg_dump.`;
  return variantFailed(message, { table });
}
