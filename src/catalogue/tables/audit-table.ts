import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { AuditEvent } from '../../core/access.ts';
import { canonicalText } from '../../core/canonical-json.ts';
import type { JsonValue } from '../../core/json-value.ts';
import type { AuditTable } from '../../core/ports/catalogue.ts';
import { cursorInvalid, decodeCursor, encodeCursor } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';

/** `hash` of the event before the first one. */
const BEGINNING = '0'.repeat(64);

type Unchained = Omit<AuditEvent, 'sequence' | 'previousHash' | 'hash'>;

export function createAuditTable(database: Kysely<CatalogueSchema>, exclusively: Exclusively): AuditTable {
  return {
    append: (event) =>
      exclusively(async (connection) => {
        const last = await connection
          .selectFrom('audit_events')
          .select(['sequence', 'hash'])
          .orderBy('sequence', 'desc')
          .limit(1)
          .executeTakeFirst();
        const sequence = Number(last?.sequence ?? 0) + 1;
        const previousHash = last?.hash ?? BEGINNING;
        const hash = chainHash(event, sequence, previousHash);
        const { time, actor, action, subject } = event;
        await connection
          .insertInto('audit_events')
          .values({
            sequence,
            time,
            actor,
            action,
            subject: subject ?? null,
            record: toText(event),
            previous_hash: previousHash,
            hash,
          })
          .execute();
        return { ...event, sequence, previousHash, hash };
      }),
    async page({ actor, action, subject }, { limit, cursor }) {
      let query = database.selectFrom('audit_events').selectAll();
      if (actor !== undefined) query = query.where('actor', '=', actor);
      if (action !== undefined) query = query.where('action', '=', action);
      if (subject !== undefined) query = query.where('subject', '=', subject);
      if (cursor !== undefined) query = query.where('sequence', '<', decodeSequence(cursor));
      const rows = await query
        .orderBy('sequence', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(toEvent);
      const last = items.at(-1);
      return rows.length > limit && last !== undefined
        ? { items, nextCursor: encodeCursor([String(last.sequence)]) }
        : { items };
    },
    async verify() {
      let previousHash = BEGINNING;
      let sequence = 0;
      for (;;) {
        const rows = await database
          .selectFrom('audit_events')
          .selectAll()
          .where('sequence', '>', sequence)
          .orderBy('sequence')
          .limit(1000)
          .execute();
        if (rows.length === 0) return { events: sequence };
        for (const row of rows) {
          const expected = sequence + 1;
          if (
            Number(row.sequence) !== expected ||
            row.previous_hash !== previousHash ||
            !columnsFit(row) ||
            row.hash !== chainHash(fromText<Unchained>(row.record), expected, previousHash)
          ) {
            return { events: sequence, brokenAt: expected };
          }
          sequence = expected;
          previousHash = row.hash;
        }
      }
    },
  };
}

function decodeSequence(cursor: string): number {
  const sequence = Number(decodeCursor(cursor, 1)[0]);
  if (!Number.isSafeInteger(sequence)) throw cursorInvalid();
  return sequence;
}

/** Events are found by columns that the hash does not cover: changed ones would hide an event. */
function columnsFit({ record, time, actor, action, subject }: CatalogueSchema['audit_events']): boolean {
  const event = fromText<Unchained>(record);
  return event.time === time && event.actor === actor && event.action === action && (event.subject ?? null) === subject;
}

/** SHA-256 of the canonical JSON of the event, its number and the hash before it. */
function chainHash(event: Unchained, sequence: number, previousHash: string): string {
  const kept = fromText<Record<string, JsonValue>>(toText(event));
  return createHash('sha256')
    .update(canonicalText([previousHash, sequence, kept]))
    .digest('hex');
}

function toEvent(row: CatalogueSchema['audit_events']): AuditEvent {
  return {
    ...fromText<Unchained>(row.record),
    sequence: Number(row.sequence),
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
