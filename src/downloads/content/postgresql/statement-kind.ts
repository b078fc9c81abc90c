import { isKnownDefinition, withoutOptions } from '../../sql/postgresql-statements.ts';
import { hasComment, type TextToken, tokensOf } from '../../sql/sql-tokens.ts';

/**
 * - `kept`: makes or changes something that is no row, or sets a sequence or a setting
 * - `left out`: holds data that no policy speaks of (large objects, comments, statistics), or a transaction of its own
 * - `insert`: holds rows
 * - `unknown`: may hold data, or is none of a dump of one database
 * - `commented`: has a comment in its midst, which pg_dump does not write, and nobody can say what is in it
 */
export type StatementKind = 'kept' | 'left out' | 'insert' | 'unknown' | 'commented';

const LEFT_OUT =
  /^(comment on|security label|(create|alter|drop) (publication|subscription|user mapping)|alter (server|foreign data wrapper)|(begin|commit|start transaction|end)\b[^;]* ;)/;
const KEPT =
  /^(set|reset|drop|grant|revoke|refresh materialized view|analyze|alter (default privileges|large object)) /;
/**
 * They say in other ways than pg_dump what names, strings and encodings are read by, or take that back: SET NAMES is client_encoding, SET SCHEMA is
 * search_path.
 */
const OTHER_SETTINGS =
  /^(set (names|schema|"|(session|local) (?!authorization |characteristics ))|reset (?!session authorization |role ))/;
const WHOLE_CLUSTER =
  /^(create|alter|drop|comment on) (database|role|user(?! mapping)|group|tablespace) |^alter system /;
const LARGE_OBJECT_DATA = new Set(['lo_open', 'lowrite', 'lo_close']);
const STATISTICS = new Set(['pg_restore_relation_stats', 'pg_restore_attribute_stats', 'pg_clear_relation_stats']);
const CALLS = new Set(['setval', 'set_config', 'lo_create', 'lo_unlink']);

/** What a statement of a dump is, COPY apart. Only kinds that are known are let through, whatever a later version adds. */
export function statementKind(statement: Buffer, firstWord: string): StatementKind {
  if (firstWord === 'insert') return 'insert';
  const kind = kindOf(statement, firstWord);
  if (kind !== 'kept') return kind;
  const tokens = tokensOf(statement, 'postgresql');
  if (holdsInsert(tokens)) return 'unknown';
  return hasComment(statement, tokens) ? 'commented' : kind;
}

/** Where the end of a statement is lost, an INSERT may be its rest. Rules and routines are made of them. */
function holdsInsert(tokens: readonly TextToken[]): boolean {
  const isInsert = tokens.some(
    ({ kind, text }, at) => kind === 'word' && text === 'insert' && tokens[at + 1]?.text === 'into',
  );
  return isInsert && !tokens.slice(1, 4).some(({ text }) => ['rule', 'function', 'procedure'].includes(text));
}

/** What is given of a statement that is kept: all but the options of foreign servers, which may hold passwords. */
export function givenOf(statement: Buffer, firstWord: string): Buffer {
  if (firstWord !== 'create') return statement;
  const [, second, third] = tokensOf(statement, 'postgresql', { most: 3 });
  const isServer = second?.text === 'server' || (second?.text === 'foreign' && third?.text === 'data');
  return isServer ? withoutOptions(statement) : statement;
}

function kindOf(statement: Buffer, firstWord: string): StatementKind {
  const head = tokensOf(statement, 'postgresql', { most: 8 });
  if (head[0]?.text === ';') return 'kept';
  const words = `${head.map(({ kind, text }) => (kind === 'word' || kind === 'symbol' ? text : '"')).join(' ')} `;
  if (WHOLE_CLUSTER.test(words) || OTHER_SETTINGS.test(words)) return 'unknown';
  if (LEFT_OUT.test(words)) return 'left out';
  if (KEPT.test(words)) return 'kept';
  if (firstWord === 'select') return callKind(statement, head);
  if (firstWord === 'create' || firstWord === 'alter') return isKnownDefinition(words) ? 'kept' : 'unknown';
  return 'unknown';
}

/** `SELECT pg_catalog.setval('public.users_id_seq', 7, true);` and the like, with nothing but literals. */
function callKind(statement: Buffer, head: readonly TextToken[]): StatementKind {
  const rest = head.slice(1).filter(({ text }) => text !== '*' && text !== 'from');
  const isQualified = rest[0]?.text === 'pg_catalog' && rest[1]?.text === '.';
  const name = rest[isQualified ? 2 : 0]?.text ?? '';
  if (LARGE_OBJECT_DATA.has(name) || STATISTICS.has(name)) return 'left out';
  if (!CALLS.has(name)) return 'unknown';
  const tokens = tokensOf(statement, 'postgresql').slice(isQualified ? 4 : 2);
  const closing = tokens.findIndex(({ text, kind }) => kind === 'symbol' && text === ')');
  const isPlain =
    tokens[0]?.text === '(' &&
    tokens.slice(1, closing).every(({ kind, text }) => isLiteral(kind, text)) &&
    tokens[closing + 1]?.text === ';' &&
    (name !== 'set_config' || (tokens[1]?.text === "'search_path'" && tokens[3]?.text === "''"));
  return isPlain ? 'kept' : 'unknown';
}

function isLiteral(kind: TextToken['kind'], text: string): boolean {
  if (kind === 'symbol') return text === ',' || text === ':' || text === '-';
  return kind !== 'word' || ['true', 'false', 'regclass', 'pg_catalog', 'null'].includes(text);
}

/** Why a statement is not let through, within a sentence: never with a name or a value of it. */
export function refusal(statement: Buffer, kind: StatementKind): string {
  const spoken = spokenKind(statement);
  return kind === 'commented'
    ? `it has a comment in the midst of a statement ${spoken}`
    : `it has a statement ${spoken} that may hold or change data which no policy speaks of`;
}

function spokenKind(statement: Buffer): string {
  const head = tokensOf(statement, 'postgresql', { most: 2 });
  const words = head.filter(({ kind, text }) => kind === 'word' && SPOKEN.has(text));
  return words.map(({ text }) => text.toUpperCase()).join(' ') || 'of an unknown kind';
}

const SPOKEN = new Set(
  'set reset select insert update delete merge do call truncate lock copy with values create alter drop table view database role user group tablespace system begin rollback savepoint prepare execute import vacuum cluster notify listen explain declare fetch'.split(
    ' ',
  ),
);
