import type { Kysely } from 'kysely';
import type { IdempotencyTable } from '../../core/ports/catalogue.ts';
import type { CatalogueSchema } from '../schema.ts';

export function createIdempotencyTable(database: Kysely<CatalogueSchema>): IdempotencyTable {
  return {
    async begin(key, fingerprint, now) {
      const inserted = await database
        .insertInto('idempotency_keys')
        .values({ key, fingerprint, created_at: now, status: null, body: null })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .executeTakeFirst();
      if ((inserted.numInsertedOrUpdatedRows ?? 0n) > 0n) return { state: 'new' };
      const row = await database.selectFrom('idempotency_keys').selectAll().where('key', '=', key).executeTakeFirst();
      if (row === undefined) return { state: 'in-progress' };
      if (row.fingerprint !== fingerprint) return { state: 'mismatch' };
      if (row.status === null) return { state: 'in-progress' };
      return { state: 'done', status: row.status, body: row.body ?? '' };
    },
    async finish(key, status, body) {
      await database.updateTable('idempotency_keys').set({ status, body }).where('key', '=', key).execute();
    },
    async abandon(key) {
      await database.deleteFrom('idempotency_keys').where('key', '=', key).where('status', 'is', null).execute();
    },
    async expire(before) {
      await database.deleteFrom('idempotency_keys').where('created_at', '<', before).execute();
    },
  };
}
