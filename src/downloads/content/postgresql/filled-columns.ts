import type { DerivedColumn } from '../derived-columns.ts';
import { tableNameParts } from '../table-name.ts';

/**
 * Fills the derived columns of a table. Rows of other tables that inherit from it have statements of their own; a partitioned table has no rows of its own, and what
 * was given as its rows lies in its partitions.
 */
export function fillingStatement(
  { table, columns }: { table: string; columns: readonly DerivedColumn[] },
  isPartitioned: boolean,
): Buffer {
  const name = tableNameParts(table).map(quoted).join('.');
  const set = columns.map(({ column, expression }) => `${quoted(column)} = (${expression})`);
  return Buffer.from(`\nUPDATE ${isPartitioned ? '' : 'ONLY '}${name} SET ${set.join(', ')};\n`);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
