import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { CatalogueSchema, Exclusively } from '../schema.ts';
import { catalogueLocked } from './catalogue-fault.ts';
import { BUSY_MILLISECONDS, type NodeSqliteDatabase } from './node-sqlite-database.ts';

type Work<Result> = (database: Kysely<CatalogueSchema>) => Promise<Result>;

/**
 * Transactions that begin with `BEGIN IMMEDIATE`: they wait for their turn at the start, where a deferred one, which has read
 * what another process changes meanwhile, would fail in the middle. The wait leaves the connection and the process free for
 * other work.
 *
 * @throws HoldfastError `catalogue-locked` (locked) after ten seconds
 */
export function createExclusively(database: Kysely<CatalogueSchema>, sqlite: NodeSqliteDatabase): Exclusively {
  return async <Result>(work: Work<Result>): Promise<Result> => {
    const attempt = () =>
      database.connection().execute(async (connection) => {
        if (!sqlite.tryExecute('BEGIN IMMEDIATE')) return undefined;
        return { result: await finish(connection, sqlite, work) };
      });
    return (await patiently(attempt, sqlite.file)).result;
  };
}

/** Repeats what gives nothing while another process holds a lock. @throws HoldfastError `catalogue-locked` (locked) */
export async function patiently<Result>(attempt: () => Promise<Result | undefined>, file: string): Promise<Result> {
  const deadline = performance.now() + BUSY_MILLISECONDS;
  while (performance.now() < deadline) {
    const result = await attempt();
    if (result !== undefined) return result;
    await sleep(PAUSE_MILLISECONDS);
  }
  throw catalogueLocked(file);
}

const PAUSE_MILLISECONDS = 3;

async function finish<Result>(
  connection: Kysely<CatalogueSchema>,
  sqlite: NodeSqliteDatabase,
  work: Work<Result>,
): Promise<Result> {
  try {
    const result = await work(connection);
    await sql`COMMIT`.execute(connection);
    return result;
  } catch (error) {
    // After some faults (a full disk) SQLite has rolled back by itself, and another ROLLBACK would hide the reason.
    if (sqlite.isTransaction) await sql`ROLLBACK`.execute(connection);
    throw error;
  }
}
