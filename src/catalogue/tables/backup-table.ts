import { type Kysely, type SelectQueryBuilder, sql, type Transaction } from 'kysely';
import type { Backup } from '../../core/backup.ts';
import type { BackupFilter, BackupTable } from '../../core/ports/catalogue.ts';
import { matchesAny } from '../id-patterns.ts';
import { decodeCursor, encodeCursor } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema } from '../schema.ts';

type Database = Kysely<CatalogueSchema>;

export function createBackupTable(database: Database): BackupTable {
  return {
    insert: (backup) => write(database, backup, false),
    put: (backup) => write(database, backup, true),
    async get(id) {
      return toBackup(await database.selectFrom('backups').select('record').where('id', '=', id).executeTakeFirst());
    },
    async page(filter, { limit, cursor }) {
      let query = filtered(database.selectFrom('backups').select(['id', 'created_at', 'record']), filter);
      if (cursor !== undefined) {
        const [time, id] = decodeCursor(cursor, 2);
        query = query.where(sql<boolean>`(created_at, id) < (${time}, ${id})`);
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map((row) => fromText<Backup>(row.record));
      const last = rows[limit - 1];
      return rows.length > limit && last !== undefined
        ? { items, nextCursor: encodeCursor([last.created_at, last.id]) }
        : { items };
    },
    async count(filter) {
      const row = await filtered(
        database.selectFrom('backups').select((builder) => builder.fn.countAll<number>().as('count')),
        filter,
      ).executeTakeFirst();
      return Number(row?.count ?? 0);
    },
    async latest(resourceId, type) {
      let query = database
        .selectFrom('backups')
        .select('record')
        .where('resource_id', '=', resourceId)
        .where('status', '=', 'completed');
      if (type !== undefined) query = query.where('type', '=', type);
      return toBackup(await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst());
    },
    async atOrBefore(resourceId, time, maxSnapshots) {
      const newest = database
        .selectFrom('backups')
        .select(['id', 'created_at', 'record'])
        .where('resource_id', '=', resourceId)
        .where('status', '=', 'completed')
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(maxSnapshots);
      return toBackup(
        await database
          .selectFrom(newest.as('newest'))
          .select('record')
          .where('created_at', '<=', time)
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(1)
          .executeTakeFirst(),
      );
    },
    dependants: (id) => dependants(database, id),
    async allOf(resourceId) {
      const rows = await database
        .selectFrom('backups')
        .select('record')
        .where('resource_id', '=', resourceId)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .execute();
      return rows.map((row) => fromText<Backup>(row.record));
    },
    async expired(time) {
      const rows = await database
        .selectFrom('backups')
        .select('record')
        .where('expires_at', '<=', time)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => fromText<Backup>(row.record));
    },
    async idsOf(repositoryId) {
      const rows = await database
        .selectFrom('backups')
        .select('id')
        .where('repository_id', '=', repositoryId)
        .execute();
      return new Set(rows.map((row) => row.id));
    },
    async delete(id) {
      return database.transaction().execute(async (transaction) => {
        await transaction.deleteFrom('backup_tags').where('backup_id', '=', id).execute();
        return (await transaction.deleteFrom('backups').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n;
      });
    },
    totals: () => totals(database),
  };
}

async function write(database: Database, backup: Backup, replace: boolean): Promise<void> {
  const tags = Object.entries(backup.metadata.tags);
  if (tags.length === 0 && !replace) {
    await database.insertInto('backups').values(toRow(backup)).execute();
    return;
  }
  await database.transaction().execute(async (transaction) => {
    if (replace) await removeRow(transaction, backup.id);
    await transaction.insertInto('backups').values(toRow(backup)).execute();
    if (tags.length === 0) return;
    await transaction
      .insertInto('backup_tags')
      .values(tags.map(([name, value]) => ({ backup_id: backup.id, name, value })))
      .execute();
  });
}

async function removeRow(transaction: Transaction<CatalogueSchema>, id: string): Promise<void> {
  await transaction.deleteFrom('backup_tags').where('backup_id', '=', id).execute();
  await transaction.deleteFrom('backups').where('id', '=', id).execute();
}

function filtered<Output>(
  query: SelectQueryBuilder<CatalogueSchema, 'backups', Output>,
  filter: BackupFilter,
): SelectQueryBuilder<CatalogueSchema, 'backups', Output> {
  const { resourceId, resourceType, type, service, tag, from, until, resources } = filter;
  let result = query;
  if (resourceId !== undefined) result = result.where('resource_id', '=', resourceId);
  if (resourceType !== undefined) result = result.where('resource_type', '=', resourceType);
  if (type !== undefined) result = result.where('type', '=', type);
  if (service !== undefined) result = result.where('service', '=', service);
  if (from !== undefined) result = result.where('created_at', '>=', from);
  if (until !== undefined) result = result.where('created_at', '<', until);
  if (resources !== undefined) result = result.where((builder) => matchesAny(builder, 'resource_id', resources));
  if (tag !== undefined) {
    const at = tag.indexOf('=');
    const name = at < 0 ? tag : tag.slice(0, at);
    result = result.where((builder) => {
      let tags = builder
        .selectFrom('backup_tags')
        .select('backup_tags.backup_id')
        .whereRef('backup_tags.backup_id', '=', 'backups.id')
        .where('backup_tags.name', '=', name);
      if (at >= 0) tags = tags.where('backup_tags.value', '=', tag.slice(at + 1));
      return builder.exists(tags);
    });
  }
  return result;
}

/** Only deltas depend on what is before them: a backup with a chain of length 0 restores by itself. */
async function dependants(database: Database, id: string): Promise<Backup[]> {
  const { rows } = await sql<{ record: string }>`
    WITH RECURSIVE chain (id, depth) AS (
      SELECT id, 1 FROM backups WHERE parent_id = ${id} AND chain_length > 0
      UNION
      SELECT child.id, chain.depth + 1 FROM backups AS child JOIN chain ON child.parent_id = chain.id WHERE child.chain_length > 0
    )
    SELECT backups.record FROM chain JOIN backups ON backups.id = chain.id ORDER BY chain.depth, backups.created_at, backups.id
  `.execute(database);
  return rows.map((row) => fromText<Backup>(row.record));
}

async function totals(database: Database): ReturnType<BackupTable['totals']> {
  const row = await database
    .selectFrom('backups')
    .select((builder) => [
      builder.fn.countAll<number>().as('backups'),
      builder.fn.sum<number | null>('size').as('bytes'),
      builder.fn.sum<number | null>('stored_bytes').as('stored'),
      builder.fn.count<number>('resource_id').distinct().as('resources'),
      builder.fn.max('created_at').as('newest'),
    ])
    .executeTakeFirstOrThrow();
  const sums = {
    backups: Number(row.backups),
    bytes: Number(row.bytes ?? 0),
    storedBytes: Number(row.stored ?? 0),
    resources: Number(row.resources),
  };
  return row.newest === null ? sums : { ...sums, newest: row.newest };
}

function toRow(backup: Backup): CatalogueSchema['backups'] {
  return {
    id: backup.id,
    resource_id: backup.resourceId,
    resource_type: backup.resourceType,
    service: backup.service,
    type: backup.type,
    status: backup.status,
    repository_id: backup.repositoryId,
    parent_id: backup.parentId ?? null,
    chain_length: backup.chainLength,
    size: backup.size,
    stored_bytes: backup.statistics.storedBytes,
    created_at: backup.createdAt,
    expires_at: backup.expiresAt ?? null,
    record: toText(backup),
  };
}

function toBackup(row: { record: string } | undefined): Backup | undefined {
  return row === undefined ? undefined : fromText<Backup>(row.record);
}
