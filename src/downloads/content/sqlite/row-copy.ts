import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { HoldfastError } from '../../../core/errors.ts';
import { RowFault } from '../../masking/row-fault.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import type { TableFacts } from './database-facts.ts';
import { otherRows, variantFailed } from './sqlite-fault.ts';
import { quotedName } from './sqlite-tokens.ts';
import { type SqliteValue, storedValue, textOf } from './sqlite-values.ts';
import { rowKeyOf } from './table-rows.ts';

export interface CopiedRows {
  rowsIn: number;
  rowsOut: number;
}

/** All rows, within SQLite. */
export function copyAllRows(target: DatabaseSync, facts: TableFacts, columns: readonly string[]): CopiedRows {
  const { rowid, order } = rowKeyOf(facts);
  const list = [...(rowid === undefined ? [] : [rowid]), ...columns.map(quotedName)].join(', ');
  const name = quotedName(facts.name);
  if (list === '')
    throw variantFailed(`Table ${facts.name} has no column that could be copied.`, { table: facts.name });
  const { changes } = target
    .prepare(`INSERT INTO main.${name} (${list}) SELECT ${list} FROM source.${name} ORDER BY ${order}`)
    .run();
  return { rowsIn: Number(changes), rowsOut: Number(changes) };
}

/**
 * Rows one by one, masked and selected. What no rule changes goes from one file to the other within SQLite.
 * @param alive called every few rows
 * @throws HoldfastError `variant-failed`
 */
export function copyEachRow(
  target: DatabaseSync,
  facts: TableFacts,
  columns: readonly string[],
  masker: TableMasker,
  alive: () => void,
): CopiedRows {
  const key = rowKeyOf(facts);
  const name = quotedName(facts.name);
  const wanted = [...key.columns, ...masker.needed.map((column) => quotedName(columns[column] ?? ''))];
  const reading = target.prepare(`SELECT ${wanted.join(', ')} FROM source.${name} ORDER BY ${key.order}`);
  const writing = target.prepare(insertOf(facts, columns, masker.changed));
  const values: (string | null)[] = new Array(columns.length).fill(null);
  let ordinal = 0;
  let rowsOut = 0;
  // With `returnArrays` rows are arrays.
  for (const row of reading.iterate() as Iterable<unknown> as Iterable<SqliteValue[]>) {
    if ((ordinal & 255) === 0) alive();
    if (isKept(masker, ordinal, facts.name)) {
      const originals = row.slice(key.columns.length);
      for (const [at, column] of masker.needed.entries()) values[column] = textOf(originals[at] ?? null);
      const before = values.slice();
      maskRow(masker, values, ordinal, facts.name);
      const bound = masker.changed.flatMap((column): SqliteValue[] => {
        const text = values[column] ?? null;
        if (text === before[column]) return [1n, null];
        return [0n, storedValue(text, originals[masker.needed.indexOf(column)] ?? null)];
      });
      const { changes } = writing.run(...([...bound, ...row.slice(0, key.columns.length)] as SQLInputValue[]));
      if (Number(changes) !== 1)
        throw variantFailed(`Row ${ordinal + 1} of table ${facts.name} cannot be found again by its key.`, {
          table: facts.name,
          row: ordinal,
        });
      rowsOut++;
    }
    ordinal++;
  }
  return { rowsIn: ordinal, rowsOut };
}

function insertOf(facts: TableFacts, columns: readonly string[], changed: readonly number[]): string {
  const { rowid, columns: key } = rowKeyOf(facts);
  const name = quotedName(facts.name);
  const list = [...(rowid === undefined ? [] : [rowid]), ...columns.map(quotedName)];
  const sources = [
    ...(rowid === undefined ? [] : [rowid]),
    ...columns.map((column, at) => changedSource(quotedName(column), changed.indexOf(at))),
  ];
  const where = key.map((column, at) => `${column} = ?${2 * changed.length + at + 1}`);
  return `INSERT INTO main.${name} (${list.join(', ')}) SELECT ${sources.join(', ')} FROM source.${name} WHERE ${where.join(' AND ')}`;
}

/** The source's own value where a rule left it as it is: text that is no Unicode does not survive the way through a string. */
function changedSource(column: string, position: number): string {
  return position < 0 ? column : `iif(?${2 * position + 1}, ${column}, ?${2 * position + 2})`;
}

function isKept(masker: TableMasker, ordinal: number, table: string): boolean {
  try {
    return masker.isKept(ordinal);
  } catch {
    throw otherRows(table);
  }
}

/** Of what a transformer says nothing is shown: it may quote the value. */
function maskRow(masker: TableMasker, values: (string | null)[], ordinal: number, table: string): void {
  try {
    masker.mask(values, ordinal);
  } catch (error) {
    const cause = error instanceof RowFault ? error.cause : error;
    if (cause instanceof HoldfastError) throw cause;
    throw variantFailed(`Row ${ordinal + 1} of table ${table} cannot be masked: a rule failed.`, {
      table,
      row: ordinal,
    });
  }
}
