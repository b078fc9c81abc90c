import { statSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';
import type { CanaryProbe, WatchedColumn } from '../../masking/canary-probe.ts';
import { RowFault } from '../../masking/row-fault.ts';
import type { RowSelection } from '../../masking/row-selection.ts';
import { TableMasker, type ValueMasker } from '../../masking/table-masker.ts';
import type { TablePlan } from '../../variant-plan.ts';
import { tableName } from '../table-name.ts';
import {
  type DatabaseFacts,
  type Definition,
  databaseFacts,
  mentions,
  rowsOf,
  type TableFacts,
} from './database-facts.ts';
import { allowAll, allowDefinitionsOnly, openToRead, openToWrite } from './guarded-database.ts';
import { unreadable, variantFailed, writingFailed } from './sqlite-fault.ts';
import type { TableResult } from './sqlite-job.ts';
import { quotedName, sameName } from './sqlite-tokens.ts';
import { type SqliteValue, storedValue, textOf } from './sqlite-values.ts';
import { rowKeyOf, storedColumns } from './table-rows.ts';
import { withoutForeignKeysTo } from './without-foreign-keys.ts';

export interface CopyOptions {
  source: string;
  /** An empty file. */
  target: string;
  tables: readonly TablePlan[];
  selection: RowSelection | undefined;
  valueMasker(plan: TablePlan, columns: readonly string[], probe?: CanaryProbe): ValueMasker;
  /** Absent: none looks. */
  canary?: {
    probeOf(plan: TablePlan, columns: readonly string[]): CanaryProbe;
    told(table: string, watched: readonly WatchedColumn[]): void;
  };
  /** Called now and then. `quietSeconds`: for how long it may not be called again, at most. */
  alive(quietSeconds: number): void;
}

/**
 * Writes a database with a source's definitions and with its rows, masked and selected. Values that no rule changes go from one file to the other
 * within SQLite, byte for byte. Triggers are made when all rows are there.
 * @throws HoldfastError `variant-failed`, `variant-content-unreadable`
 */
export function copyDatabase(options: CopyOptions): TableResult[] {
  const facts = readFacts(options.source);
  const plans = plansOf(facts, options.tables);
  let target: DatabaseSync | undefined;
  try {
    target = openToWrite(options.target, options.source, facts);
    return new DatabaseCopy(target, facts, plans, options).run();
  } catch (error) {
    throw writingFailed(error, 'The variant of the database cannot be written');
  } finally {
    target?.close();
  }
}

function readFacts(path: string): DatabaseFacts {
  let source: DatabaseSync | undefined;
  try {
    source = openToRead(path);
    return databaseFacts(source);
  } catch (error) {
    throw unreadable(error);
  } finally {
    source?.close();
  }
}

interface PlannedTable {
  facts: TableFacts;
  plan: TablePlan;
}

/** @throws HoldfastError where the plan is not made for these tables */
function plansOf({ tables }: DatabaseFacts, plans: readonly TablePlan[]): PlannedTable[] {
  const byName = new Map(plans.map((plan) => [plan.table, plan]));
  const planned = tables.map((facts) => {
    const plan = byName.get(tableName([facts.name]));
    const fits =
      plan?.fate === 'drop' ||
      (plan !== undefined &&
        plan.columns.length === facts.columns.length &&
        plan.columns.every(({ column }, at) => column === facts.columns[at]?.name));
    if (plan === undefined || !fits)
      throw variantFailed(
        `The database is not the one that the plan was made for: table ${facts.name} is another. Make the variant again.`,
        { table: facts.name },
      );
    if (facts.isVirtual && plan.fate !== 'drop')
      throw variantFailed(
        `Table ${facts.name} is virtual: the tables behind it hold copies of texts that no rule reaches. Say \`drop\` for it; an application can make a search index again.`,
        { table: facts.name },
      );
    return { facts, plan };
  });
  if (planned.length !== byName.size)
    throw variantFailed('The database is not the one that the plan was made for: it has not all of its tables.');
  return planned;
}

class DatabaseCopy {
  readonly #target: DatabaseSync;
  readonly #facts: DatabaseFacts;
  readonly #tables: readonly PlannedTable[];
  readonly #options: CopyOptions;
  /** Names of tables and views that are left out, as `sameName` gives them. */
  readonly #dropped: Set<string>;
  readonly #longestStep: number;
  readonly #watched: { table: string; name: string; columns: readonly string[]; probe: CanaryProbe }[] = [];

  constructor(target: DatabaseSync, facts: DatabaseFacts, tables: readonly PlannedTable[], options: CopyOptions) {
    this.#target = target;
    this.#facts = facts;
    this.#tables = tables;
    this.#options = options;
    this.#longestStep = STEP_SECONDS + statSync(options.source).size / BYTES_A_SECOND;
    this.#dropped = new Set(
      tables.filter(({ plan }) => plan.fate === 'drop').map((table) => sameName(table.facts.name)),
    );
  }

  run(): TableResult[] {
    this.#prepare();
    const kept = this.#keptDefinitions();
    for (const each of kept) if (each.type === 'table') this.#define(each);
    const results = this.#tables.filter(({ plan }) => plan.fate !== 'drop').map((table) => this.#copyRows(table));
    this.#watch();
    this.#copySequences();
    for (const each of kept) if (each.type === 'index') this.#define(each);
    for (const each of kept) if (each.type === 'view') this.#define(each);
    for (const each of kept) if (each.type === 'trigger') this.#define(each);
    this.#target.exec('COMMIT');
    this.#check(kept);
    return results;
  }

  #prepare(): void {
    const { userVersion, applicationId } = this.#facts;
    const target = this.#target;
    target.exec('PRAGMA main.journal_mode = OFF');
    target.exec('PRAGMA main.synchronous = OFF');
    target.exec('BEGIN EXCLUSIVE');
    target.exec(`PRAGMA main.user_version = ${userVersion}`);
    target.exec(`PRAGMA main.application_id = ${applicationId}`);
  }

  /** Without dropped tables and what belongs to them: indexes, triggers, and views that read them, also by way of others. */
  #keptDefinitions(): Definition[] {
    const { definitions } = this.#facts;
    for (let before = -1; before !== this.#dropped.size; ) {
      before = this.#dropped.size;
      for (const { type, name, sql = '' } of definitions)
        if (type === 'view' && mentions(sql, this.#dropped)) this.#dropped.add(sameName(name));
    }
    return definitions.filter(({ type, table, sql = '' }) => {
      if (this.#dropped.has(sameName(table))) return false;
      return type !== 'trigger' || !mentions(sql, this.#dropped);
    });
  }

  #define({ type, name, sql = '' }: Definition): void {
    this.#alive();
    const text = type === 'table' ? withoutForeignKeysTo(sql, this.#dropped) : sql;
    try {
      allowDefinitionsOnly(this.#target);
      // Only the first statement of a text is prepared, whatever follows it.
      this.#target.prepare(text).run();
    } catch (error) {
      throw writingFailed(error, `The ${type} ${name} cannot be made`, { [type]: name });
    } finally {
      allowAll(this.#target);
    }
  }

  #copyRows({ facts, plan }: PlannedTable): TableResult {
    const table = plan.table;
    if (plan.fate === 'structure') {
      const count = rowsOf(this.#target, `SELECT count(*) FROM source.${quotedName(facts.name)}`)[0]?.[0];
      return { table, rowsIn: Number(count), rowsOut: 0 };
    }
    const columns = storedColumns(facts);
    const { selection, valueMasker, canary } = this.#options;
    const probe = canary?.probeOf(plan, columns);
    const selected = Object.hasOwn(selection?.tables ?? {}, table) ? selection?.tables[table] : undefined;
    const masker = new TableMasker({
      columns,
      values: valueMasker(plan, columns, probe),
      selection: selected,
      ...(probe === undefined ? {} : { probe }),
    });
    this.#alive();
    try {
      if (probe !== undefined) this.#watched.push({ table, name: facts.name, columns, probe });
      const all = masker.changed.length === 0 && !masker.selects;
      const counts = all ? this.#copyAll(facts, columns) : this.#copyEach(facts, columns, masker);
      if (selection !== undefined && counts.rowsIn !== (selected?.rows ?? 0)) throw otherRows(facts.name);
      return { table, ...counts };
    } catch (error) {
      throw writingFailed(error, `The rows of table ${table} cannot be written`, { table });
    }
  }

  /** What is in the tables now, or the first of it, when all originals are known. */
  #watch(): void {
    for (const { table, name, columns, probe } of this.#watched) {
      if (probe.watched.length === 0) continue;
      const list = probe.watched.map((column) => quotedName(columns[column] ?? '')).join(', ');
      const rows = this.#target.prepare(`SELECT ${list} FROM main.${quotedName(name)} LIMIT ${MOST_WATCHED}`);
      probe.watches = true;
      for (const [at, row] of (rows.all() as unknown as SqliteValue[][]).entries()) {
        for (const [index, column] of probe.watched.entries()) {
          const text = textOf(row[index] ?? null);
          if (text !== null) probe.output(text, column);
        }
        if (at % ROWS_TOLD === ROWS_TOLD - 1) this.#options.canary?.told(table, probe.take());
      }
      this.#options.canary?.told(table, probe.take());
    }
  }

  #copyAll(facts: TableFacts, columns: readonly string[]): { rowsIn: number; rowsOut: number } {
    const { rowid, order } = rowKeyOf(facts);
    const list = [...(rowid === undefined ? [] : [rowid]), ...columns.map(quotedName)].join(', ');
    const name = quotedName(facts.name);
    if (list === '')
      throw variantFailed(`Table ${facts.name} has no column that could be copied.`, { table: facts.name });
    const { changes } = this.#target
      .prepare(`INSERT INTO main.${name} (${list}) SELECT ${list} FROM source.${name} ORDER BY ${order}`)
      .run();
    return { rowsIn: Number(changes), rowsOut: Number(changes) };
  }

  #copyEach(facts: TableFacts, columns: readonly string[], masker: TableMasker): { rowsIn: number; rowsOut: number } {
    const key = rowKeyOf(facts);
    const name = quotedName(facts.name);
    const wanted = [...key.columns, ...masker.needed.map((column) => quotedName(columns[column] ?? ''))];
    const reading = this.#target.prepare(`SELECT ${wanted.join(', ')} FROM source.${name} ORDER BY ${key.order}`);
    const writing = this.#target.prepare(insertOf(facts, columns, masker.changed));
    const values: (string | null)[] = new Array(columns.length).fill(null);
    let ordinal = 0;
    let rowsOut = 0;
    // With `returnArrays` rows are arrays.
    for (const row of reading.iterate() as Iterable<unknown> as Iterable<SqliteValue[]>) {
      if ((ordinal & 255) === 0) this.#options.alive(LONGEST_ROWS);
      if (isKept(masker, ordinal, facts.name)) {
        const originals = row.slice(key.columns.length);
        for (const [at, column] of masker.needed.entries()) values[column] = textOf(originals[at] ?? null);
        const before = values.slice();
        maskRow(masker, values, ordinal, facts.name);
        const bound = masker.changed.flatMap((column): SqliteValue[] => {
          const text = values[column] ?? null;
          if (text === before[column]) return [1n, null];
          return [0n, storedValue(text, originals[masker.needed.indexOf(column)] ?? null)];
        });
        const { changes } = writing.run(...([...bound, ...row.slice(0, key.columns.length)] as SQLInputValue[]));
        if (Number(changes) !== 1)
          throw variantFailed(`Row ${ordinal + 1} of table ${facts.name} cannot be found again by its key.`, {
            table: facts.name,
            row: ordinal,
          });
        rowsOut++;
      }
      ordinal++;
    }
    return { rowsIn: ordinal, rowsOut };
  }

  /** What AUTOINCREMENT counted, of tables that are there; nothing else that stands in that table. */
  #copySequences(): void {
    if (!this.#facts.hasSequences) return;
    const target = this.#target;
    const names = rowsOf(target, "SELECT name FROM main.sqlite_schema WHERE type = 'table'").map(([name]) =>
      String(name),
    );
    if (!names.includes('sqlite_sequence')) return;
    for (const { facts } of this.#tables) {
      if (!names.includes(facts.name)) continue;
      const [row] = rowsOf(
        target,
        "SELECT max(seq) FROM source.sqlite_sequence WHERE name = ? AND typeof(seq) = 'integer'",
        facts.name,
      );
      const sequence = row?.[0];
      if (typeof sequence !== 'bigint') continue;
      const update = target.prepare('UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?');
      if (Number(update.run(sequence, facts.name).changes) === 0)
        target.prepare('INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)').run(facts.name, sequence);
    }
  }

  /** @throws HoldfastError where what was written is not whole, or refers to rows that are not there although the source's did not */
  #check(kept: readonly Definition[]): void {
    this.#alive();
    const target = this.#target;
    const made = new Set(
      rowsOf(target, 'SELECT type, name FROM main.sqlite_schema').map(([type, name]) => `${type} ${name}`),
    );
    const missing = kept.find(({ type, name }) => !made.has(`${type} ${name}`));
    if (missing !== undefined)
      throw variantFailed(`The ${missing.type} ${missing.name} was not made: its definition says something else.`);
    this.#checkReferences();
    this.#alive();
    const result = rowsOf(target, 'PRAGMA main.integrity_check(1)')[0]?.[0];
    if (result !== 'ok')
      throw variantFailed(
        'What was written fails the check of its integrity (PRAGMA integrity_check). Look whether rules give values that CHECK and NOT NULL constraints allow.',
      );
  }

  #checkReferences(): void {
    for (const { facts, plan } of this.#tables) {
      if (plan.fate === 'drop') continue;
      this.#alive();
      const after = danglingOf(this.#target, 'main', facts.name);
      if (after?.size === 0) continue;
      const before = danglingOf(this.#target, 'source', facts.name);
      // Its keys lead to what no key may lead to, in the source as well: SQLite does not hold them.
      if (after === undefined && before === undefined) continue;
      for (const [target, rows] of after ?? [['', 1]]) {
        if (rows <= (before?.get(target) ?? 0)) continue;
        throw variantFailed(
          `Rows of table ${facts.name} refer to rows of table ${target} that are not there. Give both columns the same rule, and keep the rows that are referred to.`,
          { table: facts.name, target, rows },
        );
      }
    }
  }

  #alive(): void {
    this.#options.alive(this.#longestStep);
  }
}

/** How long a few rows may take, seconds; a transformer that does not come back is ended by that. */
const LONGEST_ROWS = 60;
/** Rows of each table that the canary looks at, and of those how many at once. */
const MOST_WATCHED = 3000;
const ROWS_TOLD = 500;
/** How long one step over the whole database may take: so many seconds, and one more for each of so many bytes. */
const [STEP_SECONDS, BYTES_A_SECOND] = [300, 4 << 20];

/** Rows that refer to none, by the table that they refer to; undefined where the keys cannot be checked. */
function danglingOf(database: DatabaseSync, schema: 'main' | 'source', table: string): Map<string, number> | undefined {
  const sql = `SELECT parent, count(*) FROM pragma_foreign_key_check(?, '${schema}') GROUP BY 1`;
  try {
    return new Map(rowsOf(database, sql, table).map(([target, rows]) => [String(target), Number(rows)]));
  } catch (error) {
    if (writingFailed(error, '') === error) throw error;
    return undefined;
  }
}

function insertOf(facts: TableFacts, columns: readonly string[], changed: readonly number[]): string {
  const { rowid, columns: key } = rowKeyOf(facts);
  const name = quotedName(facts.name);
  const list = [...(rowid === undefined ? [] : [rowid]), ...columns.map(quotedName)];
  const sources = [
    ...(rowid === undefined ? [] : [rowid]),
    ...columns.map((column, at) => changedSource(quotedName(column), changed.indexOf(at))),
  ];
  const where = key.map((column, at) => `${column} = ?${2 * changed.length + at + 1}`);
  return `INSERT INTO main.${name} (${list.join(', ')}) SELECT ${sources.join(', ')} FROM source.${name} WHERE ${where.join(' AND ')}`;
}

/** The source's own value where a rule left it as it is: text that is no Unicode does not survive the way through a string. */
function changedSource(column: string, position: number): string {
  return position < 0 ? column : `iif(?${2 * position + 1}, ${column}, ?${2 * position + 2})`;
}

function otherRows(table: string) {
  return variantFailed(
    `Table ${table} has not the rows that it had when those of the variant were chosen. Make the variant again.`,
    { table },
  );
}

function isKept(masker: TableMasker, ordinal: number, table: string): boolean {
  try {
    return masker.isKept(ordinal);
  } catch {
    throw otherRows(table);
  }
}

/** Of what a transformer says nothing is shown: it may quote the value. */
function maskRow(masker: TableMasker, values: (string | null)[], ordinal: number, table: string): void {
  try {
    masker.mask(values, ordinal);
  } catch (error) {
    const cause = error instanceof RowFault ? error.cause : error;
    if (cause instanceof HoldfastError) throw cause;
    throw variantFailed(`Row ${ordinal + 1} of table ${table} cannot be masked: a rule failed.`, {
      table,
      row: ordinal,
    });
  }
}
