import { hasComment, type TextToken, tokensOf } from '../../sql/sql-tokens.ts';
import { afterParentheses, isWord, nameOf } from './dump-text.ts';
import { unreadable } from './unreadable.ts';

/** What stands before the rows of an INSERT or REPLACE. */
export interface InsertHeader {
  /** As it is spelt. */
  table: string;
  /** As they are spelt; undefined where the statement does not say. */
  columns: readonly string[] | undefined;
  /** Where the first row's parenthesis stands. */
  rowsAt: number;
}

const BEFORE_TABLE = ['low_priority', 'delayed', 'high_priority', 'ignore', 'into'];

/**
 * Reads `INSERT [IGNORE] INTO table [(columns)] VALUES (`, and the same with REPLACE.
 * @throws HoldfastError `variant-content-unreadable` for every other form: SELECT, SET, names with that of a database, partitions, comments
 */
export function insertHeader(statement: Buffer): InsertHeader {
  const tokens = headOf(statement);
  let at = 1;
  while (isWord(tokens[at], ...BEFORE_TABLE)) at++;
  const table = nameOf(statement, tokens[at]);
  at++;
  if (table === undefined) throw unknown();
  const list = tokens[at]?.text === '(' ? { from: at, to: afterParentheses(tokens, at) } : undefined;
  if (list !== undefined) at = list.to;
  const open = tokens[at + 1];
  if (!isWord(tokens[at], 'values', 'value') || open?.text !== '(') throw unknown();
  // Servers run some comments, and what others hold is no rule's.
  if (hasComment(statement, tokens.slice(0, at + 2))) throw unknown();
  return { table, columns: list && columnsOf(statement, tokens.slice(list.from, list.to)), rowsAt: open.start };
}

/** The first tokens, up to the first row's parenthesis. */
function headOf(statement: Buffer): TextToken[] {
  for (let most = 40; ; most *= 4) {
    const tokens = tokensOf(statement, 'mysql', { most });
    if (tokens.length < most || tokens.some((token) => isWord(token, 'values', 'value')) || most > 1e5) return tokens;
  }
}

function columnsOf(statement: Buffer, list: readonly TextToken[]): string[] {
  const columns: string[] = [];
  for (let at = 1; at < list.length; at += 2) {
    const column = nameOf(statement, list[at]);
    const mark = list[at + 1]?.text;
    if (column === undefined || (mark !== ',' && mark !== ')')) throw unknown();
    columns.push(column);
  }
  return columns;
}

function unknown() {
  return unreadable('it has an INSERT or REPLACE of another form than INSERT INTO table (columns) VALUES (…), (…)');
}
