import type { Kysely, Migration } from 'kysely';

/** One-time leaves to download. */
export const tickets: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('tickets')
      .addColumn('hash', 'text', (column) => column.primaryKey().notNull())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'text', (column) => column.notNull())
      .addColumn('used_at', 'text')
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('tickets_by_owner').on('tickets').columns(['owner', 'created_at']).execute();
    await schema.createIndex('tickets_by_time').on('tickets').columns(['created_at']).execute();
  },
};
