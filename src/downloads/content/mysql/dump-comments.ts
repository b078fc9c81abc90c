import { tokensOf } from '../../sql/sql-tokens.ts';
import { makesRoutine } from './dump-text.ts';

const NAME = '(?:`(?:[^`]|``)*`|[\\w$]+)';
const DATABASE = `(?:${NAME}|'[^']*')`;

/** What mysqldump and mariadb-dump write between statements, and phpMyAdmin: whole lines, since a row may stand behind words of theirs. */
const KNOWN = new RegExp(
  `^--(?:${[
    '',
    ' -+',
    '-+',
    ' (?:MySQL|MariaDB) dump [\\w .,()~+:/-]*',
    ' Host: [\\w.:%-]*(?:\\s+Database: [^\'"(),]*)?',
    ' Server version[\\w\\s.~+:-]*',
    ` Current Database: ${NAME}`,
    ` Table structure for table ${NAME}`,
    ` Dumping data for table ${NAME}`,
    ` Dumping (?:events|routines) for database ${DATABASE}`,
    ` (?:Temporary (?:table|view)|Final view) structure for view ${NAME}`,
    ` Sequence structure for ${NAME}`,
    ` (?:Indexes|AUTO_INCREMENT|Constraints) for (?:table ${NAME}|dumped tables)`,
    ' Dump completed(?: on [\\d :-]*)?',
  ].join('|')})$`,
);

/**
 * White space and comments between statements without the lines that no tool writes, which may be anything, rows too; and without those that announce
 * some tables.
 * @param tables Names in backquotes, in Latin-1
 */
export function knownComments(bytes: Buffer, tables: readonly string[]): Buffer {
  if (!bytes.includes('-') && !bytes.includes('#') && !bytes.includes('/')) return bytes;
  const lines = bytes.toString('latin1').split('\n');
  const isKnown = (line: string) => KNOWN.test(line) && !tables.some((table) => line.includes(table));
  // The first line goes on behind a statement.
  const kept = lines.flatMap((line, at) =>
    isKnown(line.trim()) || line.trim() === '' ? [line] : at === 0 ? [''] : [],
  );
  // A statement must not become a part of a comment that ended where the bytes do.
  const endsInComment = (kept.at(-1) ?? '').trim() !== '';
  return Buffer.from(kept.join('\n') + (endsInComment ? '\n' : ''), 'latin1');
}

/** Those that servers run are code. */
const COMMENT = /\/\*(?!M?!)[\s\S]*?\*\/|(?:--|#)[^\n]*/g;

/** A statement without the comments in it, but for those in the body of a routine. Dumping tools write no others but those that servers run. */
export function withoutComments(statement: Buffer, delimiter: string): Buffer {
  const tokens = tokensOf(statement, 'mysql', { delimiter });
  if (makesRoutine(tokens)) return statement;
  const parts: Buffer[] = [];
  let [given, last] = [0, 0];
  for (const { start, end } of tokens) {
    const between = start > last ? statement.toString('latin1', last, start) : '';
    const without = between.replace(COMMENT, ' ');
    if (without !== between) {
      parts.push(statement.subarray(given, last), Buffer.from(without, 'latin1'));
      given = start;
    }
    last = end;
  }
  return parts.length === 0 ? statement : Buffer.concat([...parts, statement.subarray(given)]);
}
