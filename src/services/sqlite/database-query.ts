import { constants, DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { HoldfastError } from '../../core/errors.ts';

/** A value as it can be compared with what JSON can say: large integers as text, blobs as `x'…'`. */
export type QueryValue = string | number | null;

/**
 * The one value that a query gives. The file is opened read-only and as immutable, and no other file can be reached from it.
 * @throws HoldfastError `query-without-value` (invalid); SQLite's own errors
 */
export function queryValue(path: string, sql: string): QueryValue {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    database.setAuthorizer((action) => (FORBIDDEN.has(action) ? constants.SQLITE_DENY : constants.SQLITE_OK));
    const statement = database.prepare(sql);
    const columns = statement.columns().length;
    if (columns !== 1) throw noValue(columns === 0 ? 'nothing' : `${columns} columns`);
    statement.setReadBigInts(true);
    const rows: SQLOutputValue[] = [];
    for (const row of statement.iterate()) {
      rows.push(Object.values(row)[0] as SQLOutputValue);
      if (rows.length > 1) throw noValue('more than one row');
    }
    if (rows.length === 0) throw noValue('no row');
    return toValue(rows[0] ?? null);
  } finally {
    database.close();
  }
}

/** `VACUUM INTO` attaches the file that it writes. */
const FORBIDDEN: ReadonlySet<number> = new Set([constants.SQLITE_ATTACH, constants.SQLITE_DETACH]);

function toValue(value: SQLOutputValue): QueryValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`;
  return value;
}

function noValue(what: string): HoldfastError {
  const message = `The query gives ${what}, and one value is needed: one row of one column.`;
  return new HoldfastError('invalid', 'query-without-value', message);
}
