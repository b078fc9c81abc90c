import { type Kysely, Migrator, sql } from 'kysely';
import { HoldfastError } from '../../core/errors.ts';
import { initial } from './0001-initial.ts';
import { lookUps } from './0002-look-ups.ts';
import { drills } from './0003-drills.ts';
import { downloadUsage } from './0004-download-usage.ts';
import { tickets } from './0005-tickets.ts';

/** All migrations, in the order in which they are applied. A new one is a new file and a line here; old ones never change. */
const MIGRATIONS = {
  '0001-initial': initial,
  '0002-look-ups': lookUps,
  '0003-drills': drills,
  '0004-download-usage': downloadUsage,
  '0005-tickets': tickets,
};

/** Whether `migrate` would find nothing to do, asked in far less time than it takes to. */
export async function isUpToDate<Schema>(database: Kysely<Schema>): Promise<boolean> {
  const table = await sql`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'kysely_migration'`.execute(
    database,
  );
  if (table.rows.length === 0) return false;
  const applied = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(database);
  return applied.rows.map(({ name }) => name).join() === Object.keys(MIGRATIONS).join();
}

/**
 * Brings a catalogue's tables up to date. To be run in one exclusive transaction: Kysely takes neither lock nor transaction
 * for SQLite, and of two processes that open a new catalogue one would fail, and a killed one leave half of the tables.
 *
 * @throws HoldfastError `catalogue-newer` (unsupported)
 */
export async function migrate<Schema>(database: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
    throw new HoldfastError(
      'unsupported',
      'catalogue-newer',
      'This catalogue was made by a newer Holdfast. Nothing is wrong with it: use that version, or a newer one.',
      { cause: error },
    );
  }
  throw error;
}
