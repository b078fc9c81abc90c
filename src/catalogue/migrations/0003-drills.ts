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
      // What is told of each resource's newest drills, for which records need not be read.
      .addColumn('completed_at', 'text', (column) => column.notNull())
      .addColumn('backup_id', 'text', (column) => column.notNull())
      .addColumn('backup_created_at', 'text', (column) => column.notNull())
      .addColumn('recovery_milliseconds', 'bigint')
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createIndex('drills_by_time')
      .on('drills')
      .columns(['created_at', 'id', 'resource_id', 'outcome'])
      .execute();
    await schema
      .createIndex('drills_by_resource')
      .on('drills')
      .columns(['resource_id', 'created_at', 'id', 'outcome'])
      .execute();
    await schema
      .createIndex('drills_by_outcome')
      .on('drills')
      .columns(['outcome', 'resource_id', 'created_at', 'id'])
      .execute();
  },
};
