import type { Kysely } from 'kysely';
import type { DocumentTable } from '../../core/ports/catalogue.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';

/** A small collection (policies, schedules, tokens, users) kept in the shared `documents` table. */
export function createDocumentTable<Item extends { id: string; createdAt: string }>(
  database: Kysely<CatalogueSchema>,
  exclusively: Exclusively,
  collection: string,
): DocumentTable<Item> {
  return {
    async change(id, change) {
      return exclusively(async (transaction) => {
        const table = createDocumentTable<Item>(transaction, (work) => work(transaction), collection);
        const item = await table.get(id);
        if (item === undefined) return undefined;
        const changed = change(item);
        if (changed !== item) await table.put(changed);
        return changed;
      });
    },
    async get(id) {
      const row = await database
        .selectFrom('documents')
        .select('record')
        .where('collection', '=', collection)
        .where('id', '=', id)
        .executeTakeFirst();
      return row === undefined ? undefined : fromText<Item>(row.record);
    },
    async list() {
      const rows = await database
        .selectFrom('documents')
        .select('record')
        .where('collection', '=', collection)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => fromText<Item>(row.record));
    },
    async isEmpty() {
      const row = await database
        .selectFrom('documents')
        .select('id')
        .where('collection', '=', collection)
        .limit(1)
        .executeTakeFirst();
      return row === undefined;
    },
    async put(item) {
      const record = toText(item);
      await database
        .insertInto('documents')
        .values({ collection, id: item.id, created_at: item.createdAt, record })
        .onConflict((conflict) => conflict.columns(['collection', 'id']).doUpdateSet({ record }))
        .execute();
    },
    async delete(id) {
      const result = await database
        .deleteFrom('documents')
        .where('collection', '=', collection)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
  };
}
