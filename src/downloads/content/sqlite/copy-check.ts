import type { DatabaseSync } from 'node:sqlite';
import { type Definition, rowsOf } from './database-facts.ts';
import type { PlannedTable } from './planned-tables.ts';
import { variantFailed, writingFailed } from './sqlite-fault.ts';

/**
 * @param alive called before each long step
 * @throws HoldfastError `variant-failed` where what was written is not whole, or refers to rows that are not there although the source's did not
 */
export function checkCopy(
  target: DatabaseSync,
  tables: readonly PlannedTable[],
  kept: readonly Definition[],
  alive: () => void,
): void {
  alive();
  const made = new Set(
    rowsOf(target, 'SELECT type, name FROM main.sqlite_schema').map(([type, name]) => `${type} ${name}`),
  );
  const missing = kept.find(({ type, name }) => !made.has(`${type} ${name}`));
  if (missing !== undefined)
    throw variantFailed(`The ${missing.type} ${missing.name} was not made: its definition says something else.`);
  checkReferences(target, tables, alive);
  alive();
  const result = rowsOf(target, 'PRAGMA main.integrity_check(1)')[0]?.[0];
  if (result !== 'ok')
    throw variantFailed(
      'What was written fails the check of its integrity (PRAGMA integrity_check). Look whether rules give values that CHECK and NOT NULL constraints allow.',
    );
}

function checkReferences(database: DatabaseSync, tables: readonly PlannedTable[], alive: () => void): void {
  for (const { facts, plan } of tables) {
    if (plan.fate === 'drop') continue;
    alive();
    const after = danglingOf(database, 'main', facts.name);
    if (after?.size === 0) continue;
    const before = danglingOf(database, 'source', facts.name);
    // Its keys lead to what no key may lead to, in the source as well: SQLite does not hold them.
    if (after === undefined && before === undefined) continue;
    for (const [target, rows] of after ?? [['', 1]]) {
      if (rows <= (before?.get(target) ?? 0)) continue;
      throw variantFailed(
        `Rows of table ${facts.name} refer to rows of table ${target} that are not there. Give both columns the same rule, and keep the rows that are referred to.`,
        { table: facts.name, target, rows },
      );
    }
  }
}

/** Rows that refer to none, by the table that they refer to; undefined where the keys cannot be checked. */
function danglingOf(database: DatabaseSync, schema: 'main' | 'source', table: string): Map<string, number> | undefined {
  const sql = `SELECT parent, count(*) FROM pragma_foreign_key_check(?, '${schema}') GROUP BY 1`;
  try {
    return new Map(rowsOf(database, sql, table).map(([target, rows]) => [String(target), Number(rows)]));
  } catch (error) {
    if (writingFailed(error, '') === error) throw error;
    return undefined;
  }
}
