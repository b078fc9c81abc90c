import { notSealable } from './not-sealable.ts';
import { PostgresqlSettings } from './postgresql-settings.ts';
import { dollarQuoted } from './sql-quoting.ts';
import { identifierOf, type TextToken, tokensOf } from './sql-tokens.ts';

/** What is given of a statement: itself, something else, or nothing. */
export type StatementFate = Buffer | undefined;

const CREATES = [
  /^(or replace )?(function|procedure|aggregate|view|rule|trigger|constraint trigger|transform|recursive view)\b/,
  /^(or replace )?(trusted )?(procedural )?language\b/,
  /^((global |local )?(temporary|temp) |unlogged |foreign )?table\b/,
  /^(unique )?index\b/,
  /^(temporary |temp |unlogged )?sequence\b/,
  /^(materialized view|event trigger|type|domain|schema|extension|operator|collation|default conversion|conversion|cast|policy)\b/,
  /^(statistics|text search|access method|foreign data wrapper|server)\b/,
];
const ALTERS =
  /^(table|foreign table|index|sequence|view|materialized view|function|procedure|routine|aggregate|trigger|event trigger|rule|type|domain|schema|extension|operator|collation|conversion|policy|statistics|text search|language|procedural language|foreign data wrapper|server)\b/;
/** They belong to a place and not to the data, or hold passwords, or need rights that a developer has not. */
const LEFT_OUT =
  /^(grant|revoke|security label|drop|create (publication|subscription|user mapping)|alter (publication|subscription|user mapping|default privileges)|comment on (extension|database|publication|subscription|language|procedural language|schema public)|alter large object|(set|reset) (session authorization|role))\b/;
const WHOLE_CLUSTER =
  /^(create|alter|drop|comment on) (database|role|user(?! mapping)|group|tablespace)\b|^alter system\b/;
/** They pass as they are. */
const DATA = new Set(['insert', 'update', 'delete', 'truncate', 'do', 'with', 'values', 'analyze', 'lock', 'refresh']);

/**
 * Decides what a developer gets of each statement of a PostgreSQL dump. Only known kinds of statements are let through: what ends a
 * transaction, or cannot be in one, or reaches beyond the database, is thus not, whatever a later version adds.
 */
export class PostgresqlStatements {
  readonly #settings = new PostgresqlSettings();
  #hasMade = false;

  /** The encoding that the dump's bytes are in. */
  get encoding(): string {
    return this.#settings.encoding;
  }

  /** @throws HoldfastError `dump-not-sealable` */
  fate(statement: Buffer, firstWord: string): StatementFate {
    if (firstWord === 'insert') return statement;
    const head = tokensOf(statement, 'postgresql', { most: 8 });
    const words = head.map(({ kind, text }) => (kind === 'word' ? text : '"')).join(' ');
    if (WHOLE_CLUSTER.test(words)) throw wholeCluster(words);
    if (LEFT_OUT.test(words)) return undefined;
    switch (firstWord) {
      case 'set':
        return this.#settings.fate(tokensOf(statement, 'postgresql'));
      case 'select':
        // `--clean` takes large objects out before it makes them.
        return /^select (pg_catalog " )?lo_unlink\b/.test(words) ? undefined : quiet(statement, head);
      case 'create':
        // In place of some DROPs `--clean` writes a view that depends on less.
        if (!this.#hasMade && words.startsWith('create or replace view ')) return undefined;
        this.#hasMade = true;
        return created(statement, words);
      case 'alter':
        return altered(statement, words);
      case 'begin':
      case 'commit':
        return largeObjectTransaction(head, words);
      case 'comment':
        return words.startsWith('comment on policy ') ? whereRolesAre(statement) : statement;
      default:
        if (statement.length === 1) return undefined;
        if (!DATA.has(firstWord)) throw unknown(words);
        return statement;
    }
  }
}

/** True for the CREATE and ALTER statements that a dump of one database may have. @param words the first ones, in lower case, with a space after each */
export function isKnownDefinition(words: string): boolean {
  if (words.startsWith('alter ')) return ALTERS.test(words.slice('alter '.length));
  const kind = words.slice('create '.length);
  return words.startsWith('create ') && CREATES.some((pattern) => pattern.test(kind));
}

function unknown(words: string) {
  const named = words.replaceAll('"', '').split(' ').slice(0, 3).join(' ').trim().toUpperCase();
  return notSealable(
    `it has a statement ${named || 'of an unknown kind'}, which cannot be in a transaction or is none that a dump of one database has`,
  );
}

function wholeCluster(words: string) {
  const named = (/^(comment on \w+|\w+ \w+)/.exec(words)?.[0] ?? '').toUpperCase();
  return notSealable(
    `it has a statement ${named}`,
    'It looks like the output of pg_dumpall or of pg_dump --create, which speaks of more than one database. Make the dump of the one database, without --create; or download it with seal=none.',
  );
}

/** As DO, so that psql prints no rows. */
function quiet(statement: Buffer, head: readonly TextToken[]): Buffer {
  const [select] = head;
  if (select === undefined) throw unknown('select');
  const text = statement.toString('latin1', select.end);
  return Buffer.from(`DO ${dollarQuoted(`BEGIN PERFORM${text} END`)};`, 'latin1');
}

function created(statement: Buffer, words: string): StatementFate {
  const kind = words.slice('create '.length);
  if (!CREATES.some((pattern) => pattern.test(kind))) throw unknown(words);
  if (/^(unique )?index concurrently\b/.test(kind)) throw unknown(words);
  if (/^schema\b/.test(kind)) return createdSchema(statement);
  if (/^(server|foreign data wrapper)\b/.test(kind)) return withoutOptions(statement);
  if (/^policy\b/.test(kind)) return whereRolesAre(statement);
  return statement;
}

/** Without its owner. The schema that every database begins with may be there. */
function createdSchema(statement: Buffer): StatementFate {
  const tokens = tokensOf(statement, 'postgresql');
  const hasCondition = tokens[2]?.text === 'if';
  const name = tokens[hasCondition ? 5 : 2];
  const next = tokens[hasCondition ? 6 : 3];
  if (name === undefined || next === undefined || !(next.text === ';' || next.text === 'authorization'))
    throw notSealable('it has a CREATE SCHEMA of an unknown form');
  const condition = hasCondition || identifierOf(name) === 'public' ? 'IF NOT EXISTS ' : '';
  return Buffer.from(`CREATE SCHEMA ${condition}${name.text};`, 'latin1');
}

/** Options of servers hold addresses and may hold passwords. */
export function withoutOptions(statement: Buffer): Buffer {
  const tokens = tokensOf(statement, 'postgresql');
  const at = tokens.findIndex(
    ({ kind, text }, index) => kind === 'word' && text === 'options' && tokens[index + 1]?.text === '(',
  );
  const options = tokens[at];
  if (options === undefined) return statement;
  return Buffer.concat([statement.subarray(0, options.start), Buffer.from(';')]);
}

/** A policy may be for roles that a developer's server has not; it is then left out with its comment, and rows stay hidden from all but the owner. */
function whereRolesAre(statement: Buffer): Buffer {
  const inner = dollarQuoted(statement.toString('latin1'));
  const body = `BEGIN EXECUTE ${inner}; EXCEPTION WHEN undefined_object THEN RAISE WARNING 'A policy is left out: %', SQLERRM; END`;
  return Buffer.from(`DO ${dollarQuoted(body)};`, 'latin1');
}

function altered(statement: Buffer, words: string): StatementFate {
  if (!ALTERS.test(words.slice('alter '.length))) throw unknown(words);
  const tokens = tokensOf(statement, 'postgresql');
  const fromEnd = (back: number) => tokens.at(-back)?.text;
  if (fromEnd(4) === 'owner' && fromEnd(3) === 'to') return undefined;
  const says = (...wanted: string[]) =>
    tokens.some((_, at) =>
      wanted.every((word, index) => tokens[at + index]?.kind === 'word' && tokens[at + index]?.text === word),
    );
  if (says('detach', 'partition') && says('concurrently')) throw unknown(words);
  // What `--clean` writes before what it makes anew; nothing of it is there.
  if (says('drop', 'constraint') || says('drop', 'default')) return undefined;
  if (/^alter (server|foreign data wrapper)\b/.test(words) && says('options')) return undefined;
  return statement;
}

/** pg_dump puts large objects into a transaction of their own; the seal has one for all. */
function largeObjectTransaction(head: readonly TextToken[], words: string): StatementFate {
  if (head.length === 2 && head[1]?.text === ';') return undefined;
  throw unknown(words);
}
