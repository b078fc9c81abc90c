import type { Kysely } from 'kysely';
import type { TicketTable } from '../../core/ports/catalogue.ts';
import type { Ticket, TicketOwner } from '../../core/ticket.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';

export function createTicketTable(database: Kysely<CatalogueSchema>, exclusively: Exclusively): TicketTable {
  return {
    insert: (ticket, { open, since, sinceThen }) =>
      exclusively(async (transaction) => {
        await transaction.deleteFrom('tickets').where('created_at', '<', since).execute();
        const owner = ownerKey(ticket.owner);
        const { createdAt } = ticket;
        const kept = await transaction
          .selectFrom('tickets')
          .select(['created_at', 'expires_at', 'used_at'])
          .where('owner', '=', owner)
          .orderBy('created_at')
          .execute();
        const [oldest] = kept;
        if (oldest !== undefined && kept.length >= sinceThen)
          return { limit: 'sinceThen', retryAt: afterAnHour(oldest.created_at, since, createdAt) };
        const unused = kept.filter((row) => row.used_at === null && row.expires_at > createdAt);
        const [next] = unused.map((row) => row.expires_at).sort();
        if (next !== undefined && unused.length >= open) return { limit: 'open', retryAt: next };
        const { hash, expiresAt } = ticket;
        await transaction
          .insertInto('tickets')
          .values({ hash, owner, created_at: createdAt, expires_at: expiresAt, used_at: null, record: toText(ticket) })
          .execute();
        return undefined;
      }),
    async get(hash) {
      const row = await database
        .selectFrom('tickets')
        .select(['record', 'used_at'])
        .where('hash', '=', hash)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const ticket = fromText<Ticket>(row.record);
      return row.used_at === null ? ticket : { ...ticket, usedAt: row.used_at };
    },
    async take(hash, now) {
      const { numUpdatedRows } = await database
        .updateTable('tickets')
        .set({ used_at: now })
        .where('hash', '=', hash)
        .where('used_at', 'is', null)
        .where('expires_at', '>', now)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async expire(before) {
      await database.deleteFrom('tickets').where('created_at', '<', before).execute();
    },
  };
}

/** Two callers of one name may be known in different ways. */
function ownerKey({ method, name }: TicketOwner): string {
  return `${method}:${name}`;
}

function afterAnHour(createdAt: string, since: string, now: string): string {
  return new Date(Date.parse(createdAt) + Date.parse(now) - Date.parse(since)).toISOString();
}
