import type { Kysely, Migration } from 'kysely';

/** What downloads used of their limits. */
export const downloadUsage: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    await database.schema
      .createTable('download_usage')
      .addColumn('account', 'text', (column) => column.notNull())
      .addColumn('period', 'text', (column) => column.notNull())
      .addColumn('downloads', 'bigint', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('download_usage_of_account', ['account', 'period'])
      .execute();
  },
};
