import type { DerivedColumn } from '../derived-columns.ts';
import { tableNameParts } from '../table-name.ts';
import type { DumpCharset } from './literal.ts';
import type { TableDefinition } from './table-definition.ts';
import { variantFailed } from './unreadable.ts';

/**
 * Fills the derived columns of a table. Columns that may be set to the time of each change (`ON UPDATE CURRENT_TIMESTAMP`) are set to what they are, which keeps them.
 * @throws HoldfastError `variant-failed` where the dump's character set cannot say it
 */
export function fillingStatement(
  { table, columns }: { table: string; columns: readonly DerivedColumn[] },
  definition: TableDefinition,
  charset: DumpCharset,
): Buffer {
  const derived = new Set(columns.map(({ column }) => column));
  const kept = definition.columns.filter(
    ({ name, family, isGenerated }) => family === 'timestamp' && !isGenerated && !derived.has(name),
  );
  const set = [
    ...columns.map(({ column, expression }) => `${quoted(column)} = (${expression})`),
    ...kept.map(({ name }) => `${quoted(name)} = ${quoted(name)}`),
  ];
  const statement = `\nUPDATE ${quoted(tableNameParts(table)[0] ?? '')} SET ${set.join(', ')};\n`;
  if (charset !== 'utf8' && /[^\x20-\x7e\n]/.test(statement)) throw notSayable(table);
  return Buffer.from(statement);
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function notSayable(table: string) {
  const message = `The derived columns of table ${table} are filled by a statement with characters that the dump's character set does not have. Make the dump with --default-character-set=utf8mb4.`;
  return variantFailed(message, { table });
}
