import { isName, isWord, sqliteTokens } from './sqlite-tokens.ts';

/** What each module of virtual tables appends to a table's name for the tables in which it keeps its content. */
const SHADOWS: ReadonlyMap<string, readonly string[]> = new Map([
  ['fts5', ['data', 'idx', 'content', 'docsize', 'config']],
  ['fts4', ['content', 'segments', 'segdir', 'docsize', 'stat']],
  ['fts3', ['content', 'segments', 'segdir', 'docsize', 'stat']],
  ['rtree', ['node', 'rowid', 'parent']],
  ['rtree_i32', ['node', 'rowid', 'parent']],
  ['geopoly', ['node', 'rowid', 'parent']],
]);

/**
 * The tables that belong to a virtual table, by their names alone: nothing of a module is run. Those of a module that is not known are
 * ordinary tables, of which a policy must speak.
 */
export function shadowsOf({ name, sql = '' }: { name: string; sql: string | undefined }): string[] {
  const tokens = sqliteTokens(sql);
  if (!isWord(tokens[0], 'create') || !isWord(tokens[1], 'virtual')) return [];
  const using = tokens.findIndex((token) => isWord(token, 'using'));
  const module = tokens[using + 1];
  if (using < 0 || !isName(module)) return [];
  return (SHADOWS.get(module.text.toLowerCase()) ?? []).map((part) => `${name}_${part}`);
}
