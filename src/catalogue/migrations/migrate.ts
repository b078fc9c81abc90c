import { type Kysely, Migrator } from 'kysely';
import { HoldfastError } from '../../core/errors.ts';
import { initial } from './0001-initial.ts';

/** All migrations, in the order in which they are applied. A new one is a new file and a line here; old ones never change. */
const MIGRATIONS = { '0001-initial': initial };

/** Brings a catalogue's tables up to date. @throws HoldfastError `catalogue-newer` (unsupported), `catalogue-damaged` (damaged) */
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
