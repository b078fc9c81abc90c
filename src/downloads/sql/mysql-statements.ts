import { notSealable } from './not-sealable.ts';
import { identifierOf, type TextToken, tokensOf } from './sql-tokens.ts';

/** Is in the database from the first statement of a download to the last one. */
export const MARKER_TABLE = '__snapshot_incomplete';

const DATA = new Set(['insert', 'replace', 'lock', 'unlock', 'commit', 'start']);
const LEFT_OUT = new Set(['flush', 'change', 'grant', 'revoke']);
const MADE = new Set(['table', 'view', 'trigger', 'procedure', 'function', 'event', 'index', 'sequence']);
/** Words that may stand between CREATE and what is made. */
const BEFORE_MADE = new Set([
  ...[
    'or',
    'replace',
    'algorithm',
    'undefined',
    'merge',
    'temptable',
    'sql',
    'security',
    'definer',
    'invoker',
    'current_user',
  ],
  ...['temporary', 'unique', 'fulltext', 'spatial', 'aggregate'],
]);
/** With them strings are read in another way, in some of them by the server alone. */
const OTHER_STRINGS =
  /NO_BACKSLASH_ESCAPES|ANSI|ORACLE|MSSQL|DB2|POSTGRESQL|MAXDB|^'?(gbk|gb18030|gb2312|big5|sjis|cp932|eucjpms|ujis|euckr)'?$/i;

/**
 * What is given of a statement of a dump by mysqldump or mariadb-dump: itself, something else, or nothing. Only known kinds of statements
 * are let through, which keeps out the client's own commands too: they stand where statements do.
 * @throws HoldfastError `dump-not-sealable`
 */
export function mysqlStatementFate(statement: Buffer, firstWord: string, delimiter: string): Buffer | undefined {
  if (DATA.has(firstWord)) return statement;
  if (LEFT_OUT.has(firstWord)) return undefined;
  const head = tokensOf(statement, 'mysql', { most: 60, delimiter });
  switch (firstWord) {
    case 'set':
      return setting(tokensOf(statement, 'mysql', { delimiter }), statement);
    case 'create':
      return created(statement, head);
    case 'drop':
    case 'alter':
      return changed(statement, head, firstWord);
    case 'do':
    case 'select':
      if (head[1]?.text !== 'setval') throw unknown(head);
      return statement;
    case 'use':
      throw severalDatabases();
    default:
      if (isOnlyComment(head, delimiter)) return undefined;
      throw unknown(head);
  }
}

function isOnlyComment(head: readonly TextToken[], delimiter: string): boolean {
  return head.every(({ kind, text }) => kind === 'symbol' && delimiter.includes(text));
}

function unknown(head: readonly TextToken[]) {
  const words = head.filter(({ kind }) => kind === 'word').map(({ text }) => text.toUpperCase());
  return notSealable(
    `it has a statement ${words.slice(0, 2).join(' ') || 'of an unknown kind'}, which no dump of one database has`,
  );
}

function severalDatabases() {
  return notSealable(
    'it speaks of its database by name (USE, CREATE DATABASE)',
    'Make the dump of one database, without --databases and --all-databases; or download it with seal=none.',
  );
}

function setting(tokens: readonly TextToken[], statement: Buffer): Buffer | undefined {
  const words = new Set(tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text));
  if (words.has('gtid_purged') || words.has('sql_log_bin')) return undefined;
  if (words.has('global') || words.has('persist') || words.has('persist_only') || words.has('password'))
    throw notSealable('it changes settings of the whole server');
  const isComputed = tokens.some(
    ({ kind, text }, at) => text === '(' || text === ':' || (kind === 'string' && tokens[at + 1]?.kind === 'string'),
  );
  if (isComputed) throw notSealable('it has a SET statement that computes a value');
  if (tokens.some(({ kind, text }) => (kind === 'string' || kind === 'word') && OTHER_STRINGS.test(text)))
    throw notSealable(
      'it sets a mode or a character set in which strings are read in another way (NO_BACKSLASH_ESCAPES, ANSI_QUOTES, gbk …)',
    );
  return statement;
}

function created(statement: Buffer, head: readonly TextToken[]): Buffer {
  const definer = definerOf(head);
  const rest = head
    .filter(({ start }) => definer === undefined || start < definer.start || start >= definer.end)
    .slice(1);
  const made = rest.find(({ kind, text }) => kind === 'word' && !BEFORE_MADE.has(text));
  if (made?.text === 'database' || made?.text === 'schema') throw severalDatabases();
  const isLibrary = head.some(({ kind, text }) => kind === 'word' && text === 'soname');
  if (made === undefined || !MADE.has(made.text) || isLibrary) throw unknown(head);
  refuseMarker(head);
  if (definer === undefined) return statement;
  return Buffer.concat([statement.subarray(0, definer.start), statement.subarray(definer.end)]);
}

/** Where `DEFINER = user@host` stands: a user that a developer's server has not. */
function definerOf(head: readonly TextToken[]): { start: number; end: number } | undefined {
  const at = head
    .slice(0, 12)
    .findIndex(({ kind, text }, index) => kind === 'word' && text === 'definer' && head[index + 1]?.text === '=');
  const first = head[at];
  if (first === undefined) return undefined;
  const isCall = head[at + 3]?.text === '(';
  const hasHost = head[at + 3]?.text === '@';
  const last = head[at + (isCall || hasHost ? 4 : 2)];
  if (last === undefined) throw unknown(head);
  return { start: first.start, end: last.end };
}

function changed(statement: Buffer, head: readonly TextToken[], firstWord: string): Buffer | undefined {
  const kind = head[1]?.text === 'temporary' ? head[2]?.text : head[1]?.text;
  // Only the collation of the database that the dump was made of, which has another name here.
  if (firstWord === 'alter' && (kind === 'database' || kind === 'schema')) return undefined;
  if (kind === 'database' || kind === 'schema') throw severalDatabases();
  if (kind === undefined || !MADE.has(kind)) throw unknown(head);
  refuseMarker(head);
  return statement;
}

function refuseMarker(head: readonly TextToken[]): void {
  if (head.slice(0, 16).some((token) => identifierOf(token)?.toLowerCase() === MARKER_TABLE))
    throw notSealable(
      `it holds the table ${MARKER_TABLE}, so what was backed up was itself an incomplete snapshot`,
      'Drop that table where the backup comes from, if its data is whole, and back it up again.',
    );
}
