import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { Kysely, SqliteDialect } from 'kysely';
import type { ApiToken, LocalUser } from '../../core/access.ts';
import type { Policy } from '../../core/policy.ts';
import type { Catalogue } from '../../core/ports/catalogue.ts';
import type { UndeliveredNotification } from '../../core/undelivered-notification.ts';
import type { VariantBlock } from '../../core/variant.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { isUpToDate, migrate } from '../migrations/migrate.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';
import { createAuditTable } from '../tables/audit-table.ts';
import { createBackupTable } from '../tables/backup-table.ts';
import { createDocumentTable } from '../tables/document-table.ts';
import { createDownloadUsageTable } from '../tables/download-usage-table.ts';
import { createDrillTable } from '../tables/drill-table.ts';
import { createIdempotencyTable } from '../tables/idempotency-table.ts';
import { createOperationTable } from '../tables/operation-table.ts';
import { createResourceTable } from '../tables/resource-table.ts';
import { createScheduleTable } from '../tables/schedule-table.ts';
import { createTicketTable } from '../tables/ticket-table.ts';
import { catalogueFault } from './catalogue-fault.ts';
import { createExclusively, patiently } from './exclusively.ts';
import { NodeSqliteDatabase } from './node-sqlite-database.ts';

/**
 * The embedded catalogue: one SQLite file in WAL mode, which the service and any number of commands use at once. It syncs at
 * checkpoints only: what power loss takes of its last moments is found again in the repositories at the next start.
 *
 * @throws HoldfastError `catalogue-damaged`, `catalogue-locked`, `catalogue-newer`, `catalogue-denied`, `catalogue-full`,
 * `catalogue-disk-error`; all but `catalogue-newer` also later, from any method
 */
export async function openSqliteCatalogue(options: { file: string }): Promise<Catalogue> {
  const { file } = options;
  try {
    makeFolders(path.dirname(file), { mode: 0o700 });
    // Made here so that only its owner can read it; SQLite gives its companions the same permissions.
    closeSync(openSync(file, 'a', 0o600));
    const sqlite = new NodeSqliteDatabase(file);
    try {
      // Of processes that open a new file at once, one changes its mode; SQLite's own waiting does not cover that.
      await patiently(async () => sqlite.tryExecute('PRAGMA journal_mode = WAL') || undefined, file);
      sqlite.execute('PRAGMA synchronous = NORMAL');
      const database = new Kysely<CatalogueSchema>({ dialect: new SqliteDialect({ database: sqlite }) });
      const exclusively = createExclusively(database, sqlite);
      if (!(await isUpToDate(database))) await exclusively(migrate);
      return tablesOf(database, exclusively);
    } catch (error) {
      sqlite.close();
      throw error;
    }
  } catch (error) {
    throw catalogueFault(error, file);
  }
}

function tablesOf(database: Kysely<CatalogueSchema>, exclusively: Exclusively): Catalogue {
  return {
    resources: createResourceTable(database),
    backups: createBackupTable(database, exclusively),
    operations: createOperationTable(database, exclusively),
    policies: createDocumentTable<Policy>(database, exclusively, 'policies'),
    schedules: createScheduleTable(database, exclusively),
    tokens: createDocumentTable<ApiToken>(database, exclusively, 'tokens'),
    users: createDocumentTable<LocalUser>(database, exclusively, 'users'),
    variantBlocks: createDocumentTable<VariantBlock>(database, exclusively, 'variant-blocks'),
    undelivered: createDocumentTable<UndeliveredNotification>(database, exclusively, 'undelivered-notifications'),
    drills: createDrillTable(database),
    downloadUsage: createDownloadUsageTable(database),
    tickets: createTicketTable(database, exclusively),
    audit: createAuditTable(database, exclusively),
    idempotency: createIdempotencyTable(database),
    close: () => database.destroy(),
  };
}
