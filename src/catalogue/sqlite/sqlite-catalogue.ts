import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Kysely, SqliteDialect, sql } from 'kysely';
import type { ApiToken } from '../../core/access.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Policy } from '../../core/policy.ts';
import type { Catalogue } from '../../core/ports/catalogue.ts';
import type { Schedule } from '../../core/schedule.ts';
import { migrate } from '../migrations/migrate.ts';
import type { CatalogueSchema } from '../schema.ts';
import { createAuditTable } from '../tables/audit-table.ts';
import { createBackupTable } from '../tables/backup-table.ts';
import { createDocumentTable } from '../tables/document-table.ts';
import { createIdempotencyTable } from '../tables/idempotency-table.ts';
import { createOperationTable } from '../tables/operation-table.ts';
import { createResourceTable } from '../tables/resource-table.ts';
import { NodeSqliteDatabase } from './node-sqlite-database.ts';

/**
 * The embedded catalogue: one SQLite file in WAL mode, which the service and any number of commands use at once. It syncs at
 * checkpoints only: what power loss takes of its last moments is found again in the repositories at the next start.
 *
 * @throws HoldfastError `catalogue-damaged`, `catalogue-locked`, `catalogue-newer`, `catalogue-denied`
 */
export async function openSqliteCatalogue(options: { file: string }): Promise<Catalogue> {
  const { file } = options;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const sqlite = new NodeSqliteDatabase(file);
    try {
      sqlite.execute('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      const database = new Kysely<CatalogueSchema>({ dialect: new SqliteDialect({ database: sqlite }) });
      await migrate(database);
      return tablesOf(database);
    } catch (error) {
      sqlite.close();
      throw error;
    }
  } catch (error) {
    throw catalogueFault(error, file);
  }
}

function tablesOf(database: Kysely<CatalogueSchema>): Catalogue {
  return {
    resources: createResourceTable(database),
    backups: createBackupTable(database),
    operations: createOperationTable(database, (work) => exclusively(database, work)),
    policies: createDocumentTable<Policy>(database, 'policies'),
    schedules: createDocumentTable<Schedule>(database, 'schedules'),
    tokens: createDocumentTable<ApiToken>(database, 'tokens'),
    audit: createAuditTable(database, (work) => exclusively(database, work)),
    idempotency: createIdempotencyTable(database),
    close: () => database.destroy(),
  };
}

/** `BEGIN IMMEDIATE` waits for its turn at the start, where a deferred transaction would fail in the middle. */
function exclusively<Result>(
  database: Kysely<CatalogueSchema>,
  work: (database: Kysely<CatalogueSchema>) => Promise<Result>,
): Promise<Result> {
  return database.connection().execute(async (connection) => {
    await sql`BEGIN IMMEDIATE`.execute(connection);
    try {
      const result = await work(connection);
      await sql`COMMIT`.execute(connection);
      return result;
    } catch (error) {
      await sql`ROLLBACK`.execute(connection);
      throw error;
    }
  });
}

/** Extended result codes of SQLite (https://sqlite.org/rescode.html), by their lowest byte. */
const BUSY = 5;
const READ_ONLY = 8;
const CORRUPT = 11;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

function catalogueFault(error: unknown, file: string): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const code = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
  switch (code) {
    case CORRUPT:
    case NOT_A_DATABASE:
      return new HoldfastError(
        'damaged',
        'catalogue-damaged',
        `The catalogue ${file} is damaged (${messageOf(error)}). The backups are safe in the repository: move the file away and run \`holdfast recover\`.`,
        { cause: error },
      );
    case BUSY:
      return new HoldfastError(
        'locked',
        'catalogue-locked',
        `Another program keeps the catalogue ${file} locked. End it, or try again when it is done.`,
        { cause: error },
      );
    case READ_ONLY:
    case CANNOT_OPEN:
      return new HoldfastError(
        'denied',
        'catalogue-denied',
        `The catalogue ${file} cannot be opened for writing. Check the owner and permissions of the data folder.`,
        { cause: error },
      );
    default:
      return error;
  }
}
