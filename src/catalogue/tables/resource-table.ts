import type { Kysely } from 'kysely';
import type { ResourceTable } from '../../core/ports/catalogue.ts';
import type { Resource } from '../../core/resource.ts';
import { decodeCursor, encodeCursor } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema } from '../schema.ts';

export function createResourceTable(database: Kysely<CatalogueSchema>): ResourceTable {
  const get = async (id: string): Promise<Resource | undefined> => {
    const row = await database.selectFrom('resources').select('record').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : fromText<Resource>(row.record);
  };
  return {
    get,
    async list() {
      const rows = await database
        .selectFrom('resources')
        .select('record')
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => fromText<Resource>(row.record));
    },
    async page({ limit, cursor }) {
      let query = database
        .selectFrom('resources')
        .select(['id', 'record'])
        .orderBy('id')
        .limit(limit + 1);
      if (cursor !== undefined) query = query.where('id', '>', decodeCursor(cursor, 1)[0] ?? '');
      const rows = await query.execute();
      const last = rows[limit - 1];
      const items = rows.slice(0, limit).map((row) => fromText<Resource>(row.record));
      return rows.length > limit && last !== undefined ? { items, nextCursor: encodeCursor([last.id]) } : { items };
    },
    async put(resource) {
      const record = toText(resource);
      await database
        .insertInto('resources')
        .values({ id: resource.id, created_at: resource.createdAt, record })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ record }))
        .execute();
    },
    async ensure(resource) {
      const known = await get(resource.id);
      if (known !== undefined) return known;
      await database
        .insertInto('resources')
        .values({ id: resource.id, created_at: resource.createdAt, record: toText(resource) })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
      return (await get(resource.id)) ?? resource;
    },
    async delete(id) {
      const result = await database.deleteFrom('resources').where('id', '=', id).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
  };
}
