import type { Kysely, Migration } from 'kysely';

/** The evidence of restore drills. */
export const drills: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('drills')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('resource_id', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createIndex('drills_by_time')
      .on('drills')
      .columns(['created_at', 'id', 'resource_id', 'outcome'])
      .execute();
    await schema.createIndex('drills_by_resource').on('drills').columns(['resource_id', 'created_at', 'id']).execute();
    await schema
      .createIndex('drills_by_outcome')
      .on('drills')
      .columns(['outcome', 'resource_id', 'created_at', 'id'])
      .execute();
  },
};
