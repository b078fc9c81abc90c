import type { Kysely } from 'kysely';
import type { DownloadUsageTable } from '../../core/ports/catalogue.ts';
import type { CatalogueSchema } from '../schema.ts';

const DAYS_KEPT = 2;

export function createDownloadUsageTable(database: Kysely<CatalogueSchema>): DownloadUsageTable {
  return {
    async get(account, period) {
      const row = await database
        .selectFrom('download_usage')
        .select(['downloads', 'bytes'])
        .where('account', '=', account)
        .where('period', '=', period)
        .executeTakeFirst();
      return { downloads: Number(row?.downloads ?? 0), bytes: Number(row?.bytes ?? 0) };
    },
    async add(account, period, { downloads, bytes }) {
      const added = await database
        .insertInto('download_usage')
        .values({ account, period, downloads, bytes })
        .onConflict((conflict) =>
          conflict.columns(['account', 'period']).doUpdateSet(({ eb, ref }) => ({
            downloads: eb(ref('download_usage.downloads'), '+', downloads),
            bytes: eb(ref('download_usage.bytes'), '+', bytes),
          })),
        )
        .returning('downloads')
        .executeTakeFirst();
      // Once in each period of an account is often enough.
      if (Number(added?.downloads) !== downloads) return;
      const day = new Date(Date.parse(period.slice(0, 10)) - DAYS_KEPT * 86_400_000).toISOString().slice(0, 10);
      await database.deleteFrom('download_usage').where('period', '<', day).execute();
    },
  };
}
