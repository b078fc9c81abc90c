import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Backup } from '../../core/backup.ts';
import type { BackupFilter, BackupTable, NewestBackup } from '../../core/ports/catalogue.ts';
import { matchesAny } from '../id-patterns.ts';
import { decodeCursor, encodeCursor } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';

type Database = Kysely<CatalogueSchema>;

/** Ids of resources that hold pieces of logs and kept variants; users cannot give such ids. */
const HIDDEN = '%~%';

export function createBackupTable(database: Database, exclusively: Exclusively): BackupTable {
  return {
    insert: (backup) => insert(database, exclusively, backup),
    put: (backup) =>
      exclusively(async (transaction) => {
        await remove(transaction, backup.id);
        await insertRows(transaction, backup);
      }),
    update: (id, change) =>
      exclusively(async (transaction) => {
        const before = await get(transaction, id);
        if (before === undefined) return undefined;
        const after = change(before);
        await remove(transaction, id);
        await insertRows(transaction, after);
        return after;
      }),
    get: (id) => get(database, id),
    async page(filter, { limit, cursor }) {
      const { query, time, id } = filtered(database, filter);
      let wanted = query.select(['backups.id', 'backups.created_at', 'backups.record']);
      if (cursor !== undefined) {
        const [lastTime, lastId] = decodeCursor(cursor, 2);
        wanted = wanted.where(sql<boolean>`(${time}, ${id}) < (${lastTime}, ${lastId})`);
      }
      const rows = await wanted
        .orderBy(time, 'desc')
        .orderBy(id, 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map((row) => fromText<Backup>(row.record));
      const last = rows[limit - 1];
      return rows.length > limit && last !== undefined
        ? { items, nextCursor: encodeCursor([last.created_at, last.id]) }
        : { items };
    },
    async count(filter) {
      const { query } = filtered(database, filter);
      const row = await query.select((builder) => builder.fn.countAll<number>().as('count')).executeTakeFirst();
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
    newestOf: (resourceIds) => newestOf(database, resourceIds),
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
      const rows = await database.selectFrom('backups').select('record').where('expires_at', '<=', time).execute();
      // Sorted here: asked to do it, SQLite reads all backups in the order of time instead of the few that have expired.
      return rows.map((row) => fromText<Backup>(row.record)).sort(olderFirst);
    },
    async idsOf(repositoryId) {
      const rows = await database
        .selectFrom('backups')
        .select('id')
        .where('repository_id', '=', repositoryId)
        .execute();
      return new Set(rows.map((row) => row.id));
    },
    async keptIdsOf(repositoryId) {
      const rows = await database
        .selectFrom('backups')
        .select('id')
        .where('repository_id', '=', repositoryId)
        .where('resource_id', 'like', HIDDEN)
        .execute();
      return new Set(rows.map((row) => row.id));
    },
    delete: (id) => exclusively((transaction) => remove(transaction, id)),
    deleteUnlessHeld: (id) =>
      exclusively(async (transaction) => {
        if ((await get(transaction, id))?.held === true) return false;
        await remove(transaction, id);
        return true;
      }),
    totals: () => totals(database),
  };
}

async function get(database: Database, id: string): Promise<Backup | undefined> {
  return toBackup(await database.selectFrom('backups').select('record').where('id', '=', id).executeTakeFirst());
}

/** One look into an index for each, in one statement. */
async function newestOf(
  database: Database,
  resourceIds: readonly string[],
): Promise<ReadonlyMap<string, NewestBackup>> {
  if (resourceIds.length === 0) return new Map();
  const { rows } = await sql<NewestBackup & { resourceId: string }>`
    SELECT resource_id AS "resourceId", id, created_at AS "createdAt" FROM backups WHERE id IN (
      SELECT (
        SELECT latest.id FROM backups AS latest WHERE latest.resource_id = resources.id
        ORDER BY latest.created_at DESC, latest.id DESC LIMIT 1
      )
      FROM resources WHERE resources.id IN (${sql.join(resourceIds)})
    )
  `.execute(database);
  return new Map(rows.map(({ resourceId, ...newest }) => [resourceId, newest]));
}

/** One statement is a transaction by itself, and most backups have no tags. */
async function insert(database: Database, exclusively: Exclusively, backup: Backup): Promise<void> {
  if (Object.keys(backup.metadata.tags).length === 0) await insertRows(database, backup);
  else await exclusively((transaction) => insertRows(transaction, backup));
}

async function insertRows(database: Database, backup: Backup): Promise<void> {
  await database.insertInto('backups').values(toRow(backup)).execute();
  const tags = Object.entries(backup.metadata.tags);
  if (tags.length === 0) return;
  const { id, createdAt } = backup;
  await database
    .insertInto('backup_tags')
    .values(tags.map(([name, value]) => ({ backup_id: id, name, value, created_at: createdAt })))
    .execute();
}

async function remove(transaction: Database, id: string): Promise<boolean> {
  await transaction.deleteFrom('backup_tags').where('backup_id', '=', id).execute();
  return (await transaction.deleteFrom('backups').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n;
}

type BackupQuery = SelectQueryBuilder<CatalogueSchema, 'backups', object>;

/** The backups that a filter lets through, and the columns to order them by: those of the table that the search begins at. */
function filtered(database: Database, filter: BackupFilter) {
  const { resourceId, resourceType, type, service, tag, from, until, resources } = filter;
  const table = tag === undefined ? 'backups' : 'backup_tags';
  const time = sql.ref<string>(`${table}.created_at`);
  const id = sql.ref<string>(tag === undefined ? 'backups.id' : 'backup_tags.backup_id');
  let query: BackupQuery = tag === undefined ? database.selectFrom('backups') : tagged(database, tag);
  if (resourceId !== undefined) query = query.where('backups.resource_id', '=', resourceId);
  else query = query.where('backups.resource_id', 'not like', HIDDEN);
  if (resourceType !== undefined) query = query.where('backups.resource_type', '=', resourceType);
  if (type !== undefined) query = query.where('backups.type', '=', type);
  if (service !== undefined) query = query.where('backups.service', '=', service);
  if (from !== undefined) query = query.where(time, '>=', from);
  if (until !== undefined) query = query.where(time, '<', until);
  if (resources !== undefined) query = query.where((builder) => matchesAny(builder, 'backups.resource_id', resources));
  return { query, time, id };
}

/** Begins at the tags: few backups may have one. */
function tagged(database: Database, tag: string): BackupQuery {
  const at = tag.indexOf('=');
  let query = database
    .selectFrom('backup_tags')
    .innerJoin('backups', 'backups.id', 'backup_tags.backup_id')
    .where('backup_tags.name', '=', at < 0 ? tag : tag.slice(0, at));
  if (at >= 0) query = query.where('backup_tags.value', '=', tag.slice(at + 1));
  // To those who add conditions on backups it is the same, as long as they write the table before each column.
  return query as unknown as BackupQuery;
}

/**
 * Only deltas depend on what is before them: a backup with a chain of length 0 restores by itself. `UNION` meets each row
 * once, so that parents which a damaged catalogue has in a circle come to an end.
 */
async function dependants(database: Database, id: string): Promise<Backup[]> {
  const { rows } = await sql<{ record: string }>`
    WITH RECURSIVE chain (id) AS (
      SELECT id FROM backups WHERE parent_id = ${id} AND chain_length > 0
      UNION
      SELECT child.id FROM chain JOIN backups AS child ON child.parent_id = chain.id WHERE child.chain_length > 0
    )
    SELECT backups.record FROM chain JOIN backups ON backups.id = chain.id
    ORDER BY backups.chain_length, backups.created_at, backups.id
  `.execute(database);
  return rows.map((row) => fromText<Backup>(row.record));
}

/** Three questions, because each is answered from another index and none from the rows. What is hidden counts as bytes only. */
async function totals(database: Database): ReturnType<BackupTable['totals']> {
  const sums = await database
    .selectFrom('backups')
    .select((builder) => [
      builder.fn.sum<number | null>('size').as('bytes'),
      builder.fn.sum<number | null>('stored_bytes').as('stored'),
    ])
    .executeTakeFirstOrThrow();
  const { backups, resources } = await database
    .selectFrom('backups')
    .select((builder) => [
      builder.fn.countAll<number>().as('backups'),
      builder.fn.count<number>('resource_id').distinct().as('resources'),
    ])
    .where('resource_id', 'not like', HIDDEN)
    .executeTakeFirstOrThrow();
  const newest = await database
    .selectFrom('backups')
    .select('created_at')
    .where('resource_id', 'not like', HIDDEN)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  const found = {
    backups: Number(backups),
    bytes: Number(sums.bytes ?? 0),
    storedBytes: Number(sums.stored ?? 0),
    resources: Number(resources),
  };
  return newest === undefined ? found : { ...found, newest: newest.created_at };
}

function olderFirst(a: Backup, b: Backup): number {
  return compareTexts(a.createdAt, b.createdAt) || compareTexts(a.id, b.id);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
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
