import { ROUTINES } from '../../sql/mysql-routine.ts';
import { madeBy } from '../../sql/mysql-statements.ts';
import { tokensOf } from '../../sql/sql-tokens.ts';

/** What mysqldump and mariadb-dump write between statements. phpMyAdmin writes alike. */
const KNOWN =
  /^--(?:$| -+$|-+$| (?:MySQL|MariaDB) dump | Host: | Server version| Current Database: | Table structure for | Dumping (?:data|events|routines) for | Temporary (?:table|view) structure for | Final view structure for | Sequence structure for | Indexes for | AUTO_INCREMENT for | Constraints for | Dump completed)/;

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
  if (tokens[0]?.text === 'create' && ROUTINES.has(madeBy(tokens.slice(0, 60))?.text ?? '')) return statement;
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
