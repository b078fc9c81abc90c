import { notSealable } from './not-sealable.ts';
import { dollarQuoted, postgresqlString } from './sql-quoting.ts';
import type { TextToken } from './sql-tokens.ts';

/** Every server that psql's `\if` can be used with knows them. */
const KNOWN = new Set([
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'check_function_bodies',
  'xmloption',
  'client_min_messages',
  'row_security',
  'search_path',
  'extra_float_digits',
  'bytea_output',
  'datestyle',
  'intervalstyle',
  'timezone',
  'synchronous_commit',
  'session_replication_role',
]);
/** In them each byte of a character beyond ASCII is beyond ASCII, so that bytes can be read without knowing the encoding. */
const ENCODINGS =
  /^(utf8|unicode|sqlascii|latin\d+|iso8859\d+|win\d+|windows\d+|alt|koi8[ru]?|tcvn\d*|vscii|abc|euccn|eucjp|eucjis2004|euckr|euctw)$/;

/** The SET statements of a dump. */
export class PostgresqlSettings {
  encoding = 'UTF8';

  /** The statement, or one that is without effect where a server does not know the setting. */
  fate(tokens: readonly TextToken[]): Buffer | undefined {
    const setting = readSetting(tokens);
    switch (setting.name) {
      case 'role':
      case 'session_authorization':
      case 'default_tablespace':
      case 'temp_tablespaces':
        return undefined;
      case 'standard_conforming_strings':
        if (!/^'?(on|true|yes|1)'?$/i.test(setting.value)) throw conformingStrings();
        return undefined;
      case 'client_encoding':
        this.#encode(setting.value);
        return Buffer.from(this.encodingStatement);
      default:
        return Buffer.from(KNOWN.has(setting.name) ? setting.statement : whereKnown(setting), 'latin1');
    }
  }

  get encodingStatement(): string {
    return `SET client_encoding = '${this.encoding}';`;
  }

  #encode(value: string): void {
    const name = value.replaceAll(/^'|'$/g, '');
    if (!/^[\w-]+$/.test(name) || !ENCODINGS.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')))
      throw notSealable(
        `its encoding is ${name.replaceAll(/[^\w-]/g, '?')}, in which a byte of a character can look like a quote`,
        'Make the dump with pg_dump --encoding=UTF8.',
      );
    this.encoding = name;
  }
}

interface Setting {
  name: string;
  /** As it stands in the statement. */
  value: string;
  statement: string;
}

function readSetting(tokens: readonly TextToken[]): Setting {
  const scope = tokens[1]?.text === 'session' || tokens[1]?.text === 'local' ? 1 : 0;
  const [name, sign, ...rest] = tokens.slice(1 + scope);
  const values = rest.slice(0, -1);
  const isPlain = values.every(({ kind, text }) => kind !== 'symbol' || text === ',' || text === '-');
  const isSetting =
    name?.kind === 'word' && (sign?.text === '=' || sign?.text === 'to') && isPlain && values.length > 0;
  if (!isSetting) {
    // Of a setting with a prefix no server knows what it is for.
    if (name?.kind === 'word' && sign?.text === '.') return { name: 'role', value: '', statement: '' };
    throw notSealable('it has a SET statement of an unknown form');
  }
  const value = values.map(({ text }) => text).join(' ');
  return { name: name.text, value, statement: `SET ${name.text} = ${value};` };
}

function whereKnown({ name, value, statement }: Setting): string {
  const body = `BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = ${postgresqlString(name)}) THEN ${statement} END IF; END`;
  return value === '' ? '' : `DO ${dollarQuoted(body)};`;
}

function conformingStrings() {
  return notSealable(
    'it was made with standard_conforming_strings off, with which backslashes in strings mean something else',
    'Set it on for the role that makes the dump: ALTER ROLE … SET standard_conforming_strings = on.',
  );
}
