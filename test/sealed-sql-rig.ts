import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { HoldfastError } from '../src/core/errors.ts';
import type { SealOptions } from '../src/core/ports/sql-sealer.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import type { PostgresqlServer } from './postgresql-server.ts';

/** A file that whoever runs a command of a dump would make. */
export const MUST_NOT_BE = path.join(tmpdir(), `holdfast-must-not-be-${process.pid}`);

/** Small, with one of each thing that can mislead whoever reads a dump by its lines. */
export const TRICKY = `
CREATE SCHEMA sales;
CREATE TYPE sales.state AS ENUM ('new', 'it''s; \\paid', 'COPY x FROM stdin;');
CREATE DOMAIN sales.code AS text CHECK (VALUE ~ '^\\w+;?$');
CREATE TABLE sales.users (id int PRIMARY KEY, email text DEFAULT 'a\\b'';--', state sales.state DEFAULT 'new', boss int REFERENCES sales.users);
INSERT INTO sales.users SELECT g, E'line\\nbreak\\t\\\\.\\\\ ü 漢 ' || g, 'it''s; \\paid', NULLIF(g - 1, 0) FROM generate_series(1, 40) g;
INSERT INTO sales.users VALUES (100, '\\.'), (101, E'\\n\\\\.\\n'), (102, NULL), (103, ''), (104, '\\N'), (105, E'\\r\\b\\f\\v');
CREATE TABLE public."we""ird
name; COPY" (a int, "c,o l" text, "b
COPY public.t (a) FROM stdin;
\\." text);
INSERT INTO public."we""ird
name; COPY" VALUES (1, '$$;', '$tag$'), (2, '/*', '--');
COMMENT ON TABLE sales.users IS 'line1
COPY sales.users (id) FROM stdin;
\\.
\\! touch ${MUST_NOT_BE}
';
CREATE FUNCTION sales.count_all(OUT n bigint) LANGUAGE plpgsql AS $body$
BEGIN
  -- COPY sales.users (id, email) FROM stdin;
  PERFORM '\\.', $$ $tag$ ; $tag$ $$; /* ' */
  SELECT count(*) INTO n FROM sales.users; -- '
END $body$;
CREATE FUNCTION sales.twice(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN x * 2 ELSE 0 END; SELECT x * 2; END;
CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.email := ''\\''; RETURN NEW; END';
CREATE TRIGGER stamped BEFORE INSERT ON sales.users FOR EACH ROW WHEN (NEW.email = '\\;') EXECUTE FUNCTION sales.stamp();
CREATE TABLE sales.parts (id serial, at date NOT NULL, raw bytea) PARTITION BY RANGE (at);
CREATE TABLE sales.parts_1 PARTITION OF sales.parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO sales.parts (at, raw) SELECT date '2025-02-03' + g, decode(md5(g::text), 'hex') FROM generate_series(1, 30) g;
CREATE TABLE sales.empty ();
CREATE VIEW sales.late AS SELECT id, email || E'\\\\;''' AS e FROM sales.users WHERE id > 3;
CREATE RULE two AS ON DELETE TO sales.late DO INSTEAD (DELETE FROM sales.users WHERE id = OLD.id; UPDATE sales.parts SET at = at WHERE false; );
CREATE TYPE sales.span AS RANGE (subtype = float8);
CREATE VIEW sales.by_user AS SELECT id, email, state FROM sales.users GROUP BY id;
CREATE ACCESS METHOD plain TYPE TABLE HANDLER heap_tableam_handler;
CREATE MATERIALIZED VIEW sales.totals AS SELECT state, count(*) AS n FROM sales.users GROUP BY state;
ALTER TABLE sales.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON sales.users USING (email <> '\\');
CREATE POLICY readers ON sales.users TO seal_reader USING (true);
GRANT SELECT ON sales.users TO seal_reader;
ALTER TABLE sales.parts OWNER TO seal_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO seal_reader;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE FOREIGN DATA WRAPPER fake;
CREATE SERVER production FOREIGN DATA WRAPPER fake OPTIONS (host 'production.example', password 'of-production');
CREATE USER MAPPING FOR PUBLIC SERVER production OPTIONS (password 'of-production-too');
SELECT lo_from_bytea(g, decode(repeat('00ff17', 40), 'hex')) FROM generate_series(900001, 900002) g;
COMMENT ON LARGE OBJECT 900001 IS 'a comment; \\.';
`;

/** What a target has before a download that replaces it. */
export const OLD = `
CREATE SCHEMA sales;
CREATE TABLE sales.users (id int PRIMARY KEY, note text);
INSERT INTO sales.users SELECT g, 'old ' || g FROM generate_series(1, 20) g;
CREATE TABLE public.only_here (a int);
INSERT INTO public.only_here VALUES (1);
CREATE SCHEMA other;
CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE sales.span AS RANGE (subtype = float8);
CREATE ACCESS METHOD plain TYPE TABLE HANDLER heap_tableam_handler;
CREATE CAST (bigint AS xid) WITH INOUT;
CREATE FUNCTION other.happened() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''this was to be gone''; END';
SELECT lo_from_bytea(900001, 'old'), lo_from_bytea(77, 'old too');
CREATE EVENT TRIGGER happens ON ddl_command_end EXECUTE FUNCTION other.happened();
`;

export const SEAL_ROLES = `CREATE ROLE seal_owner; CREATE ROLE seal_reader; CREATE ROLE seal_developer LOGIN PASSWORD 'sup3r-secret-of-tests';`;

const sealer = createSqlSealer();

export function sealed(
  dump: Buffer | AsyncIterable<Uint8Array>,
  mode: SealOptions['mode'] = 'create',
): AsyncIterable<Uint8Array> {
  const source = Buffer.isBuffer(dump) ? inChunks(dump, 4096) : dump;
  return sealer.seal(source, { dialect: 'postgresql', mode, title: `sales, 2026-11-20 "it's \\ "` });
}

export async function whole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

export async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Gives so many bytes and then fails. */
export async function* failing(bytes: Buffer, after: number): AsyncGenerator<Buffer> {
  yield* inChunks(bytes.subarray(0, after), 700);
  throw new HoldfastError('unavailable', 'disk-gone', 'the disk "x" is gone; it\'s \\! lost');
}

/** All that a stream gives until it fails, and why it did. */
export async function untilError(stream: AsyncIterable<Uint8Array>): Promise<{ bytes: Buffer; error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of stream) parts.push(Buffer.from(part));
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  throw new Error('The stream did not fail.');
}

export const HOSTILE_MESSAGES = [
  `it's "quoted"; \\! touch ${MUST_NOT_BE}`,
  '$$ $holdfast$ $holdfast1$ END; $holdfast',
  `*/ /* */ -- ; \\' \\'' \\`,
  `two\nlines\r\n\\! id\n\\.\n%s % %%`,
  'zero \0 and control \u0001 \u0085 \u2028',
  `'`,
  '',
  '漢'.repeat(300),
];

export interface Ended {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Milliseconds; many times what any client here takes. */
const CLIENT_LIMIT = 120_000;

/** A client that is fed with bytes and then with the end of its input. One that waits for somebody fails, with all that it started. */
export function fed(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  input: Buffer,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environment, stdio: 'pipe', detached: true });
    const said = { stdout: '', stderr: '' };
    const limit = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      reject(new Error(`${program} did not come to an end after ${input.length} bytes: ${JSON.stringify(said)}`));
    }, CLIENT_LIMIT);
    child.stdout.setEncoding('utf8').on('data', (text) => (said.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (said.stderr += text));
    child.on('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    // It may end before it has read all.
    child.stdin.on('error', () => undefined);
    child.on('close', (exitCode) => {
      clearTimeout(limit);
      resolve({ exitCode, ...said });
    });
    child.stdin.end(input);
  });
}

/** Lets clients of its socket in without a password, whose check is a third of what a cut costs. */
export async function trustSocket(server: PostgresqlServer): Promise<void> {
  await writeFile(path.join(server.data, 'pg_hba.conf'), 'local all all trust\n');
  await server.sql('postgres', 'SELECT pg_reload_conf()');
}

/** A database of a server that downloads are piped into. */
export class Target {
  readonly database: string;
  readonly #server: PostgresqlServer;
  readonly #client: pg.Client;
  #isClosed = false;

  private constructor(server: PostgresqlServer, database: string, client: pg.Client) {
    this.#server = server;
    this.database = database;
    this.#client = client;
  }

  static async make(server: PostgresqlServer, database: string, script = ''): Promise<Target> {
    await server.sql('postgres', `CREATE DATABASE "${database}" TEMPLATE template0`);
    if (script !== '') await server.sql(database, script);
    const client = new pg.Client({
      host: server.folder,
      port: server.port,
      user: 'postgres',
      password: server.password,
      database,
    });
    client.on('error', () => undefined);
    await client.connect();
    return new Target(server, database, client);
  }

  /** As a developer does it, with no option at all. */
  psql(input: Buffer, ...options: string[]): Promise<Ended> {
    const environment = {
      PATH: process.env.PATH,
      PGHOST: this.#server.folder,
      PGPORT: String(this.#server.port),
      PGUSER: 'postgres',
      PGPASSWORD: this.#server.password,
    };
    return fed(path.join(this.#server.programs, 'psql'), [...options, this.database], environment, input);
  }

  /** Differs as soon as anything was made, changed or removed. */
  async fingerprint(): Promise<string> {
    const { rows } = await this.#client.query(FINGERPRINT);
    return JSON.stringify(rows);
  }

  /** May be called again. */
  async close(): Promise<void> {
    if (!this.#isClosed) await this.#client.end();
    this.#isClosed = true;
  }
}

/** Each row of these catalogs stays as it is, transaction included, exactly as long as nothing is changed. */
const CATALOGS = [
  'class',
  'proc',
  'type',
  'namespace',
  'constraint',
  'trigger',
  'rewrite',
  'policy',
  'event_trigger',
  'cast',
  'am',
];
const LATER_CATALOGS = [
  'foreign_server',
  'publication',
  'default_acl',
  'description',
  'largeobject_metadata',
  'statistic_ext',
  'extension',
];
const FINGERPRINT = [
  ...[...CATALOGS, ...LATER_CATALOGS].map(
    (name) =>
      `SELECT '${name}' AS what, count(*), coalesce(sum(xmin::text::bigint), 0) AS changes, md5(string_agg(ctid::text, '' ORDER BY ctid)) AS places FROM pg_${name}`,
  ),
  `SELECT 'rows', count(*), coalesce(sum(hashtext(query_to_xml(format('SELECT xmin, t FROM %s t', c.oid::regclass), true, true, '')::text)), 0), '' FROM pg_class c WHERE relkind IN ('r', 'm') AND c.oid >= 16384`,
].join(' UNION ALL ');
