import type { Kysely, Migration } from 'kysely';

export const initial: Migration = {
  async up(database: Kysely<unknown>): Promise<void> {
    const { schema } = database;
    await schema
      .createTable('resources')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('backups')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('resource_id', 'text', (column) => column.notNull())
      .addColumn('resource_type', 'text', (column) => column.notNull())
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('repository_id', 'text', (column) => column.notNull())
      .addColumn('parent_id', 'text')
      .addColumn('chain_length', 'integer', (column) => column.notNull())
      .addColumn('size', 'bigint', (column) => column.notNull())
      .addColumn('stored_bytes', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'text')
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('backups_by_time').on('backups').columns(['created_at', 'id']).execute();
    await schema
      .createIndex('backups_by_resource')
      .on('backups')
      .columns(['resource_id', 'created_at', 'id'])
      .execute();
    await schema.createIndex('backups_by_type').on('backups').columns(['type', 'created_at', 'id']).execute();
    await schema
      .createIndex('backups_by_resource_type')
      .on('backups')
      .columns(['resource_type', 'created_at', 'id'])
      .execute();
    await schema.createIndex('backups_by_parent').on('backups').columns(['parent_id']).execute();
    await schema.createIndex('backups_by_expiry').on('backups').columns(['expires_at']).execute();
    await schema.createIndex('backups_by_repository').on('backups').columns(['repository_id', 'id']).execute();
    await schema
      .createTable('backup_tags')
      .addColumn('backup_id', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('backup_tags_key', ['backup_id', 'name'])
      .execute();
    await schema
      .createIndex('backup_tags_by_value')
      .on('backup_tags')
      .columns(['name', 'value', 'backup_id'])
      .execute();
    await schema
      .createTable('operations')
      .addColumn('id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('status', 'text', (column) => column.notNull())
      .addColumn('resource_id', 'text')
      .addColumn('owner', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('record', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('operations_by_status').on('operations').columns(['status', 'created_at', 'id']).execute();
    await schema.createIndex('operations_by_kind').on('operations').columns(['kind', 'created_at', 'id']).execute();
    await schema.createIndex('operations_by_time').on('operations').columns(['created_at', 'id']).execute();
    await schema
      .createIndex('operations_by_resource')
      .on('operations')
      .columns(['resource_id', 'created_at', 'id'])
      .execute();
    await schema
      .createTable('documents')
      .addColumn('collection', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('record', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('documents_key', ['collection', 'id'])
      .execute();
    await schema
      .createTable('audit_events')
      .addColumn('sequence', 'bigint', (column) => column.primaryKey().notNull())
      .addColumn('time', 'text', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('subject', 'text')
      .addColumn('record', 'text', (column) => column.notNull())
      .addColumn('previous_hash', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('audit_events_by_subject').on('audit_events').columns(['subject', 'sequence']).execute();
    await schema.createIndex('audit_events_by_actor').on('audit_events').columns(['actor', 'sequence']).execute();
    await schema
      .createTable('idempotency_keys')
      .addColumn('key', 'text', (column) => column.primaryKey().notNull())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('status', 'integer')
      .addColumn('body', 'text')
      .execute();
    await schema.createIndex('idempotency_keys_by_time').on('idempotency_keys').columns(['created_at']).execute();
  },
};
