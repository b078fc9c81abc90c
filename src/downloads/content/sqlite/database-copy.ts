import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { CanaryProbe, WatchedColumn } from '../../masking/canary-probe.ts';
import type { RowSelection } from '../../masking/row-selection.ts';
import { TableMasker, type ValueMasker } from '../../masking/table-masker.ts';
import type { TablePlan } from '../../variant-plan.ts';
import { checkCopy } from './copy-check.ts';
import { type DatabaseFacts, type Definition, databaseFacts, mentions, rowsOf } from './database-facts.ts';
import { allowAll, allowDefinitionsOnly, openToRead, openToWrite } from './guarded-database.ts';
import { type PlannedTable, plannedTables } from './planned-tables.ts';
import { copyAllRows, copyEachRow } from './row-copy.ts';
import { otherRows, unreadable, writingFailed } from './sqlite-fault.ts';
import type { TableResult } from './sqlite-job.ts';
import { quotedName, sameName } from './sqlite-tokens.ts';
import { type SqliteValue, textOf } from './sqlite-values.ts';
import { storedColumns } from './table-rows.ts';
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
  const plans = plannedTables(facts, options.tables);
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
    checkCopy(this.#target, this.#tables, kept, () => this.#alive());
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
      const counts = all
        ? copyAllRows(this.#target, facts, columns)
        : copyEachRow(this.#target, facts, columns, masker, () => this.#options.alive(LONGEST_ROWS));
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
