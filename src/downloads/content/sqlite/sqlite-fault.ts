import { HoldfastError } from '../../../core/errors.ts';

/**
 * An error of SQLite while it read a database's definitions. Only SQLite's fixed text for the code is shown: its messages may quote what a
 * file holds.
 */
export function unreadable(error: unknown): unknown {
  const reason = fixedReason(error);
  if (reason === undefined) return error;
  const message = `The database cannot be read, so no variant of it can be made: SQLite says “${reason}”. Restore it and run PRAGMA integrity_check; if it is damaged, take an earlier backup.`;
  return new HoldfastError('unsupported', 'variant-content-unreadable', message);
}

/** An error of SQLite while a variant was written. @param doing What failed, as in “The rows of table x cannot be copied” */
export function writingFailed(error: unknown, doing: string, details: Readonly<Record<string, unknown>> = {}): unknown {
  const reason = fixedReason(error);
  if (reason === undefined) return error;
  const hint = DAMAGED.test(reason)
    ? 'The database is damaged where its definitions do not show it; take an earlier backup.'
    : 'Look whether a rule gives values that a constraint of the table does not allow.';
  return variantFailed(`${doing}: SQLite says “${reason}”. ${hint}`, details);
}

export function variantFailed(message: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message, { details });
}

const DAMAGED = /malformed|not a database/;
const CONSTRAINTS = new Map([
  [275, 'a CHECK constraint failed'],
  [787, 'a foreign key constraint failed'],
  [1299, 'a NOT NULL constraint failed'],
  [1555, 'a primary key is not unique'],
  [2067, 'a UNIQUE constraint failed'],
  [2579, 'a rowid is not unique'],
  [3091, 'a value has not the type that a STRICT table demands'],
]);

function fixedReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  const text = 'errstr' in error && typeof error.errstr === 'string' ? error.errstr : 'an error';
  return CONSTRAINTS.get(error.errcode) ?? `${text} (${error.errcode})`;
}

export function otherRows(table: string) {
  return variantFailed(
    `Table ${table} has not the rows that it had when those of the variant were chosen. Make the variant again.`,
    { table },
  );
}
