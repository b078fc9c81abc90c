import { madeBy, mysqlStatementFate } from '../../sql/mysql-statements.ts';
import { type TextToken, tokensOf } from '../../sql/sql-tokens.ts';
import { afterParentheses, isWord, makesRoutine, nameOf } from './dump-text.ts';
import { type ListPart, partsOf, type TableDefinition, tableDefinition } from './table-definition.ts';
import { unreadable } from './unreadable.ts';

/**
 * What a statement of a dump is about. Tables as they are spelt.
 *
 * - `rows`: an INSERT or REPLACE
 * - `table`, `dropped`, `altered`, `index`: what tables there are
 * - `about`: belongs to tables, whose definitions it leaves as they are
 * - `view`: reads what its tokens name
 * - `none`: for the server that the dump was made of: users, replication
 */
export type DumpStatement =
  | { kind: 'rows' }
  | { kind: 'table'; definition: TableDefinition }
  | { kind: 'dropped' | 'about'; tables: readonly string[] }
  | { kind: 'altered'; table: string; changes: readonly ListPart[] }
  | { kind: 'index'; table: string; isUnique: boolean; name: string; columns: readonly string[]; isExpression: boolean }
  | { kind: 'view'; name: string; reads: readonly string[] }
  | { kind: 'charset'; charset: string }
  | { kind: 'other' | 'none' };

const MANY = 100_000;

/**
 * Only kinds of statements that are known are let through, the same as in a sealed download.
 * @throws HoldfastError `dump-not-sealable`, `variant-content-unreadable`
 */
export function dumpStatement(statement: Buffer, firstWord: string, delimiter: string): DumpStatement {
  if (firstWord === 'insert' || firstWord === 'replace') {
    if (delimiter !== ';') throw unreadable('it has an INSERT between commands that set another delimiter');
    return { kind: 'rows' };
  }
  // Those that fill columns of a variant are no dump's.
  if (firstWord === 'update') throw unreadable('it has a statement UPDATE, which no dump of one database has');
  if (mysqlStatementFate(statement, firstWord, delimiter) === undefined) return { kind: 'none' };
  const tokens = tokensOf(statement, 'mysql', { delimiter });
  if (holdsRows(tokens)) throw unreadable('it has rows in a statement that is no INSERT');
  switch (firstWord) {
    case 'create':
      return created(statement, tokens);
    case 'drop':
      return dropped(statement, tokens);
    case 'alter':
      return altered(statement, tokens);
    case 'lock':
      return { kind: 'about', tables: lockedTables(statement, tokens) };
    case 'set':
      return setting(tokens);
    default:
      return { kind: 'other' };
  }
}

/** Where the end of a statement is lost, an INSERT may be its rest. */
function holdsRows(tokens: readonly TextToken[]): boolean {
  const isOfInsert = tokens.some((token) => isWord(token, 'into'));
  const areRows = tokens.some((token, at) => {
    const isList = tokens[at + 1]?.text === '(' || isWord(tokens[at + 1], 'row');
    return isList && isWord(token, 'values', ...(isOfInsert ? ['value'] : []));
  });
  return areRows && !makesRoutine(tokens);
}

function created(statement: Buffer, tokens: readonly TextToken[]): DumpStatement {
  const made = madeBy(tokens.slice(0, 60));
  const at = made === undefined ? -1 : tokens.indexOf(made);
  switch (made?.text) {
    case 'table':
      return { kind: 'table', definition: tableDefinition(statement) };
    case 'view': {
      const name = afterIf(tokens, at + 1);
      return {
        kind: 'view',
        name: nameOf(statement, tokens[name]) ?? '',
        reads: readBy(statement, tokens.slice(name + 1)),
      };
    }
    case 'trigger':
      return { kind: 'about', tables: namesAt(statement, tokens, [indexAfter(tokens, at, 'on') + 1]) };
    case 'index':
      return index(statement, tokens, at);
    default:
      return { kind: 'other' };
  }
}

function index(statement: Buffer, tokens: readonly TextToken[], at: number): DumpStatement {
  const on = indexAfter(tokens, at, 'on');
  const open = on + 2;
  const parts = partsOf(tokens, open, afterParentheses(tokens, open) - 1);
  const [table = ''] = namesAt(statement, tokens, [on + 1]);
  return {
    kind: 'index',
    table,
    isUnique: tokens.slice(0, at).some((token) => isWord(token, 'unique')),
    name: nameOf(statement, tokens[afterIf(tokens, at + 1)]) ?? '',
    columns: parts.flatMap(({ tokens: part }) =>
      part.flatMap((token) => (token.kind === 'symbol' ? [] : (nameOf(statement, token) ?? []))),
    ),
    isExpression: parts.some(({ tokens: part }) => part.some(({ text }) => text === '(')),
  };
}

function dropped(statement: Buffer, tokens: readonly TextToken[]): DumpStatement {
  const at = isWord(tokens[1], 'temporary') ? 2 : 1;
  if (!isWord(tokens[at], 'table')) return { kind: 'other' };
  const tables: string[] = [];
  for (let name = afterIf(tokens, at + 1); name < tokens.length; name += 2) {
    const table = nameOf(statement, tokens[name]);
    if (table !== undefined) tables.push(table);
    if (tokens[name + 1]?.text !== ',') break;
  }
  return { kind: 'dropped', tables };
}

function altered(statement: Buffer, tokens: readonly TextToken[]): DumpStatement {
  if (!isWord(tokens[1], 'table')) return { kind: 'other' };
  const table = nameOf(statement, tokens[2]);
  if (table === undefined) throw unreadable('it has an ALTER TABLE that cannot be read');
  return { kind: 'altered', table, changes: partsOf(tokens, 2, tokens.length - 1) };
}

/** `LOCK TABLES a WRITE, b READ`. */
function lockedTables(statement: Buffer, tokens: readonly TextToken[]): string[] {
  return tokens.flatMap((token, at) => {
    const isFirst = at === 2 || tokens[at - 1]?.text === ',';
    return isFirst ? (nameOf(statement, token) ?? []) : [];
  });
}

/** @throws HoldfastError for a mode or a character set by its number, and for a variable that may bring it: with some, strings are read in another way */
function setting(tokens: readonly TextToken[]): DumpStatement {
  for (const [at, { text }] of tokens.entries()) {
    const isVariable = tokens[at - 1]?.text === '@' && tokens[at - 2]?.text !== '@';
    const isOfStrings = isVariable || /sql_mode|character_set|collation/i.test(text);
    const [sign, value] = tokens.slice(at + 1);
    if (!isOfStrings || sign?.text !== '=' || value === undefined) continue;
    if (/^[-+\d]/.test(value.text) || (value.kind === 'word' && tokens[at + 3]?.kind === 'string'))
      throw unreadable('it has a SET statement that sets a variable to a number');
  }
  if (!isWord(tokens[1], 'names')) return { kind: 'other' };
  return { kind: 'charset', charset: (tokens[2]?.text ?? '').replaceAll(/['"]/g, '').toLowerCase() };
}

/** Names that stand where a table's may. The server prints a view with its tables in backquotes. */
function readBy(statement: Buffer, tokens: readonly TextToken[]): string[] {
  return tokens.flatMap((token, at) => {
    const before = tokens[at - 1];
    const mayBeTable = isWord(before, 'from', 'join') || before?.text === ',' || before?.text === '(';
    if (!mayBeTable || token.kind === 'symbol' || tokens[at + 1]?.text === '.') return [];
    return nameOf(statement, token) ?? [];
  });
}

function afterIf(tokens: readonly TextToken[], from: number): number {
  let at = from;
  while (isWord(tokens[at], 'if', 'not', 'exists')) at++;
  return at;
}

function indexAfter(tokens: readonly TextToken[], from: number, word: string): number {
  const at = tokens.findIndex((token, position) => position > from && isWord(token, word));
  return at < 0 ? MANY : at;
}

function namesAt(statement: Buffer, tokens: readonly TextToken[], positions: readonly number[]): string[] {
  return positions.map((at) => {
    const name = nameOf(statement, tokens[at]);
    if (name === undefined) throw unreadable('it has a definition that does not say for which table it is');
    return name;
  });
}
