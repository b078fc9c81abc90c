import { withoutAccents } from './mysql-letters.ts';
import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';
import { tokensOf } from './sql-tokens.ts';

/** What clients of MySQL and MariaDB take for commands of their own at the beginning of a line. */
const COMMANDS = new Set([
  ...[
    '?',
    'charset',
    'connect',
    'delimiter',
    'help',
    'pager',
    'prompt',
    'query_attributes',
    'source',
    'ssl_session_data_print',
  ],
  ...['system', 'tee', 'use'],
]);
/** Are commands only where nothing follows them on their line, so that `status = 'paid'` in a trigger is none. */
const COMMANDS_ALONE = new Set([
  ...['clear', 'edit', 'ego', 'exit', 'go', 'nopager', 'notee', 'nowarning', 'print', 'quit', 'rehash'],
  ...['resetconnection', 'sandbox', 'status', 'warnings'],
]);

/**
 * Refuses a line that is a command for the client, in a statement that begins with a comment which servers run. Other statements have begun for every client
 * when their next line comes; of these, the client of MySQL 9.7 may think that nothing but a comment came yet (it does where the line ends with a blank).
 * @throws HoldfastError `dump-not-sealable`
 */
export function refuseCommandLines(statement: Buffer, delimiter: string): void {
  if (statement[0] !== BYTE.slash || !statement.includes(BYTE.newline)) return;
  for (const { kind, text, start, end } of tokensOf(statement, 'mysql', { delimiter })) {
    if (kind !== 'word' && text !== '?') continue;
    // Bytes beyond ASCII are white space in some character sets.
    const names = [text, text.replace(/^[\x80-\xff]+/, '')].map(withoutAccents);
    const command = names.find((name) => COMMANDS.has(name) || COMMANDS_ALONE.has(name));
    if (command === undefined) continue;
    const line = statement.lastIndexOf(BYTE.newline, start) + 1;
    const isFirst = line > 0 && BLANK.test(statement.toString('latin1', line, start));
    const isWhole = /^(?:\s|$)/.test(statement.toString('latin1', end, end + 1));
    if (isFirst && isWhole && (COMMANDS.has(command) || isLastOnLine(statement, end)))
      throw notSealable(
        `a line in it begins with the word ${command}, which clients take for a command of theirs in a statement that begins with a comment`,
      );
  }
}

const BLANK = /^[\s\x80-\xff]*$/;

function isLastOnLine(statement: Buffer, from: number): boolean {
  const end = statement.indexOf(BYTE.newline, from);
  return BLANK.test(statement.toString('latin1', from, end < 0 ? statement.length : end));
}
