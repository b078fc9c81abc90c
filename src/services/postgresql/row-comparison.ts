import { HoldfastError } from '../../core/errors.ts';
import type { StoredTable } from './contents.ts';
import { countLargeObjects, countRows } from './database-facts.ts';
import type { Session } from './session.ts';

export interface RowsReport {
  tables: number;
  rows: number;
}

/**
 * Counts what was restored, and compares with what was counted at the backup.
 * @throws HoldfastError `postgresql-rows-differ` (damaged) naming the tables
 */
export async function compareRows(
  session: Session,
  tables: readonly StoredTable[],
  largeObjects: number | undefined,
  signal: AbortSignal,
): Promise<RowsReport> {
  const differences: string[] = [];
  const report = { tables: 0, rows: 0 };
  for (const { schema, name, rows } of tables) {
    signal.throwIfAborted();
    if (rows === undefined) continue;
    const found = await countOrMissing(session, schema, name);
    report.tables++;
    report.rows += found ?? 0;
    if (found !== rows) differences.push(`${schema}.${name} (${rows} backed up, ${found ?? 'no table'} restored)`);
  }
  if (largeObjects !== undefined) {
    const found = await countLargeObjects(session);
    if (found !== largeObjects) differences.push(`large objects (${largeObjects} backed up, ${found} restored)`);
  }
  if (differences.length === 0) return report;
  const more = differences.length > 10 ? ` and ${differences.length - 10} more` : '';
  const message = `What was restored has other rows than what was backed up: ${differences.slice(0, 10).join(', ')}${more}. Do not use it. Look for triggers that change rows and for programs that write there, and restore again.`;
  throw new HoldfastError('damaged', 'postgresql-rows-differ', message, { details: { tables: differences } });
}

async function countOrMissing(session: Session, schema: string, table: string): Promise<number | undefined> {
  try {
    return await countRows(session, { schema, table });
  } catch (error) {
    const isMissing = error instanceof HoldfastError && ['42P01', '3F000'].includes(String(error.details.sqlState));
    if (isMissing) return undefined;
    throw error;
  }
}
