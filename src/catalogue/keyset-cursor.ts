import { type SelectQueryBuilder, sql } from 'kysely';
import { HoldfastError } from '../core/errors.ts';
import type { Page, PageRequest } from '../core/ports/catalogue.ts';
import { fromText } from './record-text.ts';
import type { CatalogueSchema } from './schema.ts';

/** Where a page ended: the ordering columns of its last row. Opaque to callers. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws HoldfastError `cursor-invalid` (invalid) */
export function decodeCursor(cursor: string, length: number): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string'))
      return parts;
  } catch {
    // Not even JSON: the same answer as below.
  }
  throw cursorInvalid();
}

/**
 * One page of what a query gives, newest first, by `created_at` and `id`.
 * @param query selects `id`, `created_at` and `record`
 */
export async function newestFirst<Item>(
  query: SelectQueryBuilder<CatalogueSchema, 'operations' | 'drills', NewestFirstRow>,
  { limit, cursor }: PageRequest,
): Promise<Page<Item>> {
  let wanted = query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) {
    const [time, id] = decodeCursor(cursor, 2);
    wanted = wanted.where(sql<boolean>`(created_at, id) < (${time}, ${id})`);
  }
  const rows = await wanted.execute();
  const items = rows.slice(0, limit).map((row) => fromText<Item>(row.record));
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined
    ? { items, nextCursor: encodeCursor([last.created_at, last.id]) }
    : { items };
}

interface NewestFirstRow {
  id: string;
  created_at: string;
  record: string;
}

export function cursorInvalid(): HoldfastError {
  return new HoldfastError(
    'invalid',
    'cursor-invalid',
    'This cursor was not made by Holdfast. Use the one from the page before, unchanged, or begin without one.',
  );
}
