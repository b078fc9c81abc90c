import { refuseCommandLines } from './mysql-commands.ts';
import { refuseSeveral } from './mysql-routine.ts';
import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';
import { QUERIES } from './sql-expression.ts';
import { hasComment, identifierOf, type TextToken, tokensOf } from './sql-tokens.ts';

const SPACE = Buffer.from(' ');
/** Is in the database from the first statement of a download to the last one. */
export const MARKER_TABLE = '__snapshot_incomplete';

const DATA = new Set(['insert', 'replace', 'lock', 'unlock', 'commit', 'start']);
const LEFT_OUT = new Set(['flush', 'change', 'grant', 'revoke', 'analyze', 'stop']);
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
  ...['temporary', 'unique', 'fulltext', 'spatial', 'aggregate', 'json', 'relational', 'duality'],
]);
/** What may follow SET beside a variable and its value. */
const SETTINGS = new Set([
  'names',
  'character',
  'charset',
  'session',
  'local',
  'transaction',
  'global',
  'persist',
  'persist_only',
  'password',
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
  if (delimiter !== ';') refuseSeveralOf(statement, tokensOf(statement, 'mysql', { delimiter }).slice(0, -1));
  if (LEFT_OUT.has(firstWord)) return undefined;
  refuseCommandLines(statement, delimiter);
  if (isPlainData(statement, firstWord)) return statement;
  const head = tokensOf(statement, 'mysql', { most: 60, delimiter });
  // Replication, which a developer's server has not.
  if (firstWord === 'start' && head[1]?.text !== 'transaction') return undefined;
  if (firstWord !== 'set') refuseUncertain(statement, head, delimiter);
  if (DATA.has(firstWord)) {
    refuseOtherDatabase(head, 0);
    return statement;
  }
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
    case 'update':
      return filling(statement, head, delimiter);
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

function uncertain() {
  return notSealable('it has a statement of which some servers run another part than others');
}

function severalDatabases() {
  return notSealable(
    'it speaks of a database by name (USE, CREATE DATABASE, or before the name of a table)',
    'Make the dump of one database, without --databases and --all-databases; or download it with seal=none.',
  );
}

function setting(tokens: readonly TextToken[], statement: Buffer): Buffer | undefined {
  const [, first, second] = tokens;
  // SET ROLE, SET DEFAULT ROLE, SET RESOURCE GROUP; and SET STATEMENT … FOR is followed by any other statement.
  const isOfSession =
    first?.text === '@' || (first?.kind === 'word' && (SETTINGS.has(first.text) || second?.text === '='));
  if (!isOfSession) throw unknown(tokens);
  const words = new Set(tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text));
  if (words.has('gtid_purged') || words.has('sql_log_bin')) return undefined;
  // Stands before the databases of --all-databases.
  if (words.has('innodb_stats_auto_recalc')) throw severalDatabases();
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

/** ``UPDATE `users` SET `label` = (…), `changed` = `changed`;``, with which masked variants fill columns. No dump has any. */
function filling(statement: Buffer, head: readonly TextToken[], delimiter: string): Buffer {
  const tokens = tokensOf(statement, 'mysql', { delimiter });
  const isOfOneTable = tokens[1]?.kind === 'name' && tokens[2]?.text === 'set';
  if (!isOfOneTable || delimiter !== ';' || hasComment(statement, tokens) || !setsOnly(tokens, 3)) throw unknown(head);
  refuseMarker(head);
  return statement;
}

/** To parentheses without a query in them or to another column, up to the end: no condition, no order. */
function setsOnly(tokens: readonly TextToken[], from: number): boolean {
  for (let at = from; ; at++) {
    if (tokens[at]?.kind !== 'name' || tokens[at + 1]?.text !== '=') return false;
    const end = tokens[at + 2]?.kind === 'name' ? at + 3 : afterOwnRow(tokens, at + 2);
    if (tokens[end]?.text === ';') return end === tokens.length - 1;
    if (tokens[end]?.text !== ',') return false;
    at = end;
  }
}

/** The position after parentheses that begin at a token; -1 where none do, or where more than the own row is read. */
function afterOwnRow(tokens: readonly TextToken[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const { kind, text } = tokens[at] as TextToken;
    if (kind === 'word' && QUERIES.has(text)) return -1;
    if (kind === 'symbol' && text === '(') depth++;
    else if (kind === 'symbol' && text === ')') depth--;
    if (depth <= 0) return at > from && depth === 0 ? at + 1 : -1;
  }
  return -1;
}

/** True where no more than the first bytes need to be looked at: there are millions of these. */
function isPlainData(statement: Buffer, firstWord: string): boolean {
  if (!DATA.has(firstWord) || statement[0] === BYTE.slash) return false;
  const open = statement.indexOf(BYTE.open);
  return open > 0 && open < 500 && !/[./]/.test(statement.toString('latin1', 0, open));
}

/** A name with that of another database before it, in the first words or in the list that they are. */
function refuseOtherDatabase(head: readonly TextToken[], from: number): void {
  for (const [at, { text }] of head.entries()) {
    if (at <= from) continue;
    if (text === '(' || text === 'values' || text === 'select' || text === 'set' || text === 'as') return;
    if (text === '.') throw severalDatabases();
  }
}

function refuseSeveralOf(statement: Buffer, tokens: readonly TextToken[]): void {
  if (!tokens.some(({ kind, text }) => kind === 'symbol' && text === ';')) return;
  if (isUncertain(statement.toString('latin1'))) throw uncertain();
  const rest = withoutDefiner(tokens, definerOf(tokens));
  refuseSeveral(rest, tokens[0]?.text === 'create' ? rest.findIndex(isMade) : -1);
}

/**
 * A comment such as `/*!80000 …` is run by some servers and not by others. Where it holds some of a statement's first words but not the
 * whole statement, what is left may be anything.
 */
function refuseUncertain(statement: Buffer, head: readonly TextToken[], delimiter: string): void {
  const name = head.find(({ kind, text }) => kind === 'name' || text === '(');
  const text = statement.toString('latin1', 0, name?.start ?? head.at(-1)?.end);
  if (!isUncertain(text)) return;
  const isWhole = /^\/\*/.test(text) && /^\s*$/.test(afterComment(statement, delimiter));
  if (!isWhole) throw uncertain();
}

/** True where the text has comments that not every server takes for a part of the statement: MySQL since 5.7, MariaDB since 10. */
function isUncertain(text: string): boolean {
  return [...text.matchAll(/\/\*(M?)!(\d*)/g)].some(
    ([, mark, version]) => mark !== '' || !/^([0-4]\d{4}|50[0-6]\d\d)?$/.test(version ?? ''),
  );
}

/** What follows the first comment, but for the delimiter. */
function afterComment(statement: Buffer, delimiter: string): string {
  return statement.toString('latin1', statement.indexOf('*/') + 2, statement.length - delimiter.length);
}

function withoutDefiner(
  tokens: readonly TextToken[],
  definer: { start: number; end: number } | undefined,
): readonly TextToken[] {
  if (definer === undefined) return tokens;
  return tokens.filter(({ start }) => start < definer.start || start >= definer.end);
}

/** The word that says what a CREATE makes. */
export function madeBy(head: readonly TextToken[]): TextToken | undefined {
  return withoutDefiner(head, definerOf(head)).find(isMade);
}

function isMade({ kind, text }: TextToken, at: number): boolean {
  return at > 0 && kind === 'word' && !BEFORE_MADE.has(text);
}

function created(statement: Buffer, head: readonly TextToken[]): Buffer {
  const definer = definerOf(head);
  const rest = withoutDefiner(head, definer);
  const made = rest.find(isMade);
  if (made?.text === 'database' || made?.text === 'schema') throw severalDatabases();
  const isLibrary = head.some(({ kind, text }) => kind === 'word' && text === 'soname');
  if (made === undefined || !MADE.has(made.text) || isLibrary) throw unknown(head);
  if (rest.slice(0, rest.indexOf(made)).some(({ kind, text }) => kind !== 'word' && text !== '=')) throw unknown(head);
  refuseMarker(head);
  if (made.text === 'table' || made.text === 'view') refuseOtherDatabase(head, head.indexOf(made));
  if (definer === undefined) return statement;
  // Without half of a comment, the rest would be read in another way.
  if (/\/\*|\*\//.test(statement.toString('latin1', definer.start, definer.end))) throw unknown(head);
  return Buffer.concat([statement.subarray(0, definer.start), SPACE, statement.subarray(definer.end)]);
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
  // What follows the name may hold numbers; DROP has only a list of names.
  refuseOtherDatabase(firstWord === 'drop' ? head : head.slice(0, 6), 1);
  return statement;
}

function refuseMarker(head: readonly TextToken[]): void {
  if (head.slice(0, 16).some((token) => identifierOf(token)?.toLowerCase() === MARKER_TABLE))
    throw notSealable(
      `it holds the table ${MARKER_TABLE}, so what was backed up was itself an incomplete snapshot`,
      'Drop that table where the backup comes from, if its data is whole, and back it up again.',
    );
}
