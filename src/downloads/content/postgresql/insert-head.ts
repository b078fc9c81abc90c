import { hasComment, tokensOf } from '../../sql/sql-tokens.ts';
import { Definition } from './definition.ts';
import { refusal } from './statement-kind.ts';
import { unreadable } from './unreadable.ts';

export interface InsertHead {
  /** Decoded. */
  table: string[];
  columns: string[] | undefined;
  /** The statement's bytes up to its first row; undefined for DEFAULT VALUES, which is one row without fields. */
  head: Buffer | undefined;
}

/** More than a table can have columns. */
const MOST_TOKENS = 8000;

/**
 * Reads `INSERT INTO table (columns) VALUES`.
 * @throws HoldfastError `variant-content-unreadable` for an INSERT of another form, of a query's rows above all
 */
export function insertHead(statement: Buffer): InsertHead {
  const tokens = tokensUpToRows(statement);
  const definition = new Definition(tokens);
  const isInto = definition.take('insert', 'into');
  const table = definition.name();
  if (!isInto || table === undefined) throw otherForm();
  const columns = definition.is('(') ? definition.names() : undefined;
  if (definition.take('overriding')) {
    definition.at++;
    definition.take('value');
  }
  if (hasComment(statement, tokens.slice(0, definition.at + 1))) throw unreadable(refusal(statement, 'commented'));
  if (definition.take('default', 'values', ';')) return { table, columns, head: undefined };
  const values = definition.tokens[definition.at];
  if (values === undefined || !definition.take('values')) throw otherForm();
  return { table, columns, head: Buffer.from(statement.subarray(0, values.end)) };
}

function tokensUpToRows(statement: Buffer) {
  for (let most = 64; ; most *= 4) {
    const tokens = tokensOf(statement, 'postgresql', { most });
    const hasHead = tokens.some(({ kind, text }) => kind === 'word' && (text === 'values' || text === 'select'));
    if (hasHead || tokens.length < most || most > MOST_TOKENS) return tokens;
  }
}

function otherForm() {
  return unreadable('it has an INSERT statement of another form than INSERT INTO table (columns) VALUES (…)');
}
