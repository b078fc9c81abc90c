import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';
import { tokensOf } from './sql-tokens.ts';

/** What clients of MySQL and MariaDB take for commands of their own at the beginning of a line. DELIMITER is looked at elsewhere. */
const COMMANDS = new Set([
  ...[
    '?',
    'charset',
    'clear',
    'connect',
    'edit',
    'ego',
    'exit',
    'go',
    'help',
    'nopager',
    'notee',
    'nowarning',
    'pager',
  ],
  ...['print', 'prompt', 'query_attributes', 'quit', 'rehash', 'resetconnection', 'sandbox', 'source'],
  ...['ssl_session_data_print', 'status', 'system', 'tee', 'use', 'warnings'],
]);

/**
 * Refuses a line that is a command for the client, in a statement that begins with a comment which servers run. Other statements have begun for every client
 * when their next line comes; of these, the client of MySQL 9.7 may think that nothing but a comment came yet (it does where the line ends with a blank).
 * @throws HoldfastError `dump-not-sealable`
 */
export function refuseCommandLines(statement: Buffer, delimiter: string): void {
  if (statement[0] !== BYTE.slash || !statement.includes(BYTE.newline)) return;
  for (const { kind, text, start, end } of tokensOf(statement, 'mysql', { delimiter })) {
    if ((kind !== 'word' && text !== '?') || !COMMANDS.has(text)) continue;
    const line = statement.lastIndexOf(BYTE.newline, start) + 1;
    const isFirst = line > 0 && /^\s*$/.test(statement.toString('latin1', line, start));
    const isAlone = /^(?:\s|$)/.test(statement.toString('latin1', end, end + 1));
    if (isFirst && isAlone)
      throw notSealable(
        `a line in it begins with the word ${text}, which clients take for a command of theirs in a statement that begins with a comment`,
      );
  }
}
