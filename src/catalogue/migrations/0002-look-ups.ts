import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Indexes for what was slow at 100,000 backups: the latest backup of a type, those with a rare tag, those of few resources
 * among many, and totals.
 */
export const lookUps: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createIndex('backups_by_resource_and_type')
      .on('backups')
      .columns(['resource_id', 'type', 'created_at', 'id'])
      .execute();
    // What filters look at stands in the index, so that rows that they leave out are not read.
    await schema.dropIndex('backups_by_time').execute();
    await schema
      .createIndex('backups_by_time')
      .on('backups')
      .columns(['created_at', 'id', 'resource_id', 'service'])
      .execute();
    // Totals are summed up from the index alone.
    await schema.dropIndex('backups_by_repository').execute();
    await schema
      .createIndex('backups_by_repository')
      .on('backups')
      .columns(['repository_id', 'id', 'size', 'stored_bytes'])
      .execute();
    await schema
      .alterTable('backup_tags')
      .addColumn('created_at', 'text', (column) => column.notNull().defaultTo(''))
      .execute();
    await sql`
      UPDATE backup_tags
      SET created_at = COALESCE((SELECT created_at FROM backups WHERE backups.id = backup_tags.backup_id), '')
    `.execute(database);
    await schema.dropIndex('backup_tags_by_value').execute();
    await schema
      .createIndex('backup_tags_by_value')
      .on('backup_tags')
      .columns(['name', 'value', 'created_at', 'backup_id'])
      .execute();
    await schema
      .createIndex('backup_tags_by_name')
      .on('backup_tags')
      .columns(['name', 'created_at', 'backup_id'])
      .execute();
  },
};
