import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import { catalogueFault, SQLITE_BUSY, sqliteResultCode } from './catalogue-fault.ts';

/**
 * What Kysely's SQLite dialect needs of a database, over Node's own `node:sqlite`. Statements are prepared once. Faults of the
 * file, whenever they show, are HoldfastErrors that say what to do.
 */
export class NodeSqliteDatabase implements SqliteDatabase {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(file: string) {
    this.file = file;
    this.#database = faultsNamed(
      file,
      () => new DatabaseSync(file, { timeout: BUSY_MILLISECONDS, enableForeignKeyConstraints: true }),
    );
  }

  /** Whether a transaction is open. */
  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  prepare(text: string): SqliteStatement {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = new NodeSqliteStatement(
        this.file,
        faultsNamed(this.file, () => this.#database.prepare(text)),
      );
      if (this.#statements.size >= STATEMENTS_KEPT) this.#statements.clear();
      this.#statements.set(text, statement);
    }
    return statement;
  }

  execute(text: string): void {
    faultsNamed(this.file, () => this.#database.exec(text));
  }

  /** Does not wait for other processes. @returns false where one of them is in the way */
  tryExecute(text: string): boolean {
    this.execute('PRAGMA busy_timeout = 0');
    try {
      this.#database.exec(text);
      return true;
    } catch (error) {
      if (sqliteResultCode(error) === SQLITE_BUSY) return false;
      throw catalogueFault(error, this.file);
    } finally {
      this.execute(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}`);
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }
}

/** How long anything waits for another process that is writing. */
export const BUSY_MILLISECONDS = 10_000;
const STATEMENTS_KEPT = 500;

class NodeSqliteStatement implements SqliteStatement {
  readonly reader: boolean;
  readonly #file: string;
  readonly #statement: StatementSync;

  constructor(file: string, statement: StatementSync) {
    this.#file = file;
    this.#statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(parameters: readonly unknown[]): unknown[] {
    return faultsNamed(this.#file, () => this.#statement.all(...(parameters as SQLInputValue[])));
  }

  run(parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint } {
    return faultsNamed(this.#file, () => this.#statement.run(...(parameters as SQLInputValue[])));
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...(parameters as SQLInputValue[]));
  }
}

function faultsNamed<Result>(file: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw catalogueFault(error, file);
  }
}
