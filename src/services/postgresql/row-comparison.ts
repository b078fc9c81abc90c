import { HoldfastError } from '../../core/errors.ts';
import { printedName } from './archive-selection.ts';
import type { StoredTable } from './contents.ts';
import { countLargeObjects, countRows, tablesHashedByEnumeration } from './database-facts.ts';
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
  for (const { name, members } of await comparedTogether(session, tables)) {
    let [backedUp, restored] = [0, 0];
    let isMissing = false;
    for (const { table, rows } of members) {
      signal.throwIfAborted();
      const found = await countOrMissing(session, table.schema, table.name);
      isMissing ||= found === undefined;
      backedUp += rows;
      restored += found ?? 0;
      report.tables++;
    }
    report.rows += restored;
    if (isMissing || backedUp !== restored)
      differences.push(`${name} (${backedUp} backed up, ${isMissing ? 'no table' : restored} restored)`);
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

/** Tables whose rows are compared as one sum: mostly one. */
interface Together {
  name: string;
  members: { table: StoredTable; rows: number }[];
}

/**
 * A hash of an enumeration is one of numbers that each database gives for itself. So pg_dump has rows of partitions that are chosen by it put into the root, and
 * how many are in which of them is for the target to say: they are compared as those of the root.
 */
async function comparedTogether(session: Session, tables: readonly StoredTable[]): Promise<Iterable<Together>> {
  const arePartitioned = tables.some(({ partitionOf }) => partitionOf !== null);
  const roots = new Set((arePartitioned ? await tablesHashedByEnumeration(session) : []).map(printedName));
  const byName = new Map(tables.map((table) => [printedName({ schema: table.schema, table: table.name }), table]));
  const together = new Map<string, Together>();
  for (const [own, table] of byName) {
    const { rows } = table;
    if (rows === undefined) continue;
    const root = roots.size === 0 ? undefined : highestAbove(table, byName, roots);
    const key = root === undefined ? own : `${root} and its partitions`;
    const there = together.get(key) ?? { name: key, members: [] };
    together.set(key, there);
    there.members.push({ table, rows });
  }
  return together.values();
}

/** Of the tables that a partition is below of, the highest one that is among `roots`. */
function highestAbove(
  { partitionOf }: StoredTable,
  byName: ReadonlyMap<string, StoredTable>,
  roots: ReadonlySet<string>,
): string | undefined {
  let highest: string | undefined;
  for (let above = partitionOf; above !== null; ) {
    const name = printedName(above);
    if (roots.has(name)) highest = name;
    above = byName.get(name)?.partitionOf ?? null;
  }
  return highest;
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
