import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { sealed, whole } from './sealed-sql-rig.ts';

const SHOP = `
CREATE SCHEMA "od.d";
CREATE FUNCTION public.initial(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(left($1, 1)) $$;
CREATE TABLE users (
  id int PRIMARY KEY, first text, last text, email text NOT NULL,
  email_tsv tsvector, lowered text NOT NULL UNIQUE, label varchar(300) CHECK (label IS NULL OR label <> 'never'),
  stage text NOT NULL CHECK (stage IN ('new', 'old')), box point NOT NULL,
  shout text GENERATED ALWAYS AS (upper(label)) STORED
);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.last := 'triggered'; RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION noted();
CREATE INDEX ON users USING gin (email_tsv);
INSERT INTO users SELECT g, 'Ann' || g, 'Original' || g, 'Person' || g || '@Corp.Example', to_tsvector('simple', 'person' || g || '@corp.example'),
  'person' || g || '@corp.example', 'Ann' || g || ' Original' || g, 'old', '(1,2)' FROM generate_series(1, 3000) g;
CREATE TABLE events (id int NOT NULL, at date NOT NULL, note text, words tsvector) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO events SELECT g, '2025-06-01'::date + g, 'secret word' || g, to_tsvector('simple', 'secret word' || g) FROM generate_series(1, 400) g;
CREATE TABLE "od.d"."Ba""se" (id int PRIMARY KEY, "Na me" text, copy text);
CREATE TABLE "od.d".child (more text) INHERITS ("od.d"."Ba""se");
INSERT INTO "od.d"."Ba""se" VALUES (1, 'Private', 'private');
INSERT INTO "od.d".child VALUES (2, 'Hidden', 'hidden', 'x');
CREATE TABLE empty (id int, a text, b text);
`;

const USERS = `id: keep, first: first_name, last: last_name, email: email, shout: generated, box: { derive: { expression: "point(id, 0)", meanwhile: "(0,0)" } },
      email_tsv: { derive: "to_tsvector('simple', email)" }, lowered: { rule: { derive: "lower(email)" }, allow_uniqueness_loss: "of a unique address" },
      label: { derive: "first || ' ' || public.initial(last) || '.' || $$ /* no; comment */ \\\\$$ || E'\\\\n' || ':x'" }, stage: { derive: "case when id > 7 then 'old' else 'new' end" }`;
const POLICY = `
variants:
  masked: { keep: full }
  reduced:
    extends: masked
    subset: { seed: dev, roots: [{ table: public.users, sample: 10% }], unconnected: { "*": all } }
tables:
  public.users: { columns: { ${USERS} } }
  public.events: { columns: { id: keep, at: keep, note: lorem, words: { derive: "to_tsvector('simple', note)" } } }
  '"od.d"."Ba""se"': { columns: { id: keep, "Na me": hash, copy: { derive: "lower(\\"Na me\\")" } } }
  '"od.d".child': { columns: { more: keep } }
  public.empty: { columns: { id: keep, a: keep, b: { derive: "a" } } }
`;

describe('columns of a variant that PostgreSQL derives', { skip: SKIP_REASON, timeout: 300_000 }, () => {
  let server: PostgresqlServer;
  let variants: PolicyVariants;
  let databases = 0;
  before(async () => {
    server = await PostgresqlServer.start(['fsync = off']);
    variants = await PolicyVariants.create();
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql('shop', SHOP);
  });
  after(async () => {
    await server?.stop();
    await variants?.remove();
  });
  beforeEach(() => variants.policy(POLICY));

  const dump = async (...options: string[]) => Buffer.from(await server.dump('shop', ...options), 'latin1');
  const made = (bytes: Buffer, variant: string, pieces = 1 << 16) =>
    variants.make({ bytes, dialect: 'postgresql', pieces }, variant);
  const loaded = async (sql: string): Promise<string> => {
    const name = `target_${++databases}`;
    await server.sql('postgres', `CREATE DATABASE ${name}`);
    await server.sql(name, sql);
    return name;
  };
  const sealedSql = async (bytes: Buffer) => (await whole(sealed(bytes))).toString();
  const isFilled = async (database: string, rows?: number) => {
    const wrong = (table: string, expression: string) =>
      server.sql(database, `SELECT count(*) FROM ${table} WHERE (${expression}) IS NOT TRUE`);
    const users = `email_tsv = to_tsvector('simple', email) AND lowered = lower(email) AND shout = upper(label) AND box ~= point(id, 0)
      AND label = first || ' ' || upper(left(last, 1)) || '.' || ' /* no; comment */ \\' || E'\\n' || ':x'
      AND stage = CASE WHEN id > 7 THEN 'old' ELSE 'new' END AND last <> 'triggered' AND label NOT LIKE '%Original%'`;
    assert.equal(await wrong('users', users), '0');
    if (rows !== undefined) assert.equal(await server.sql(database, 'SELECT count(*) FROM users'), String(rows));
    assert.equal(await wrong('events', "words = to_tsvector('simple', note)"), '0');
    assert.equal(await server.sql(database, 'SELECT count(*) FROM events'), '400');
    assert.equal(await wrong('"od.d"."Ba""se"', 'copy = lower("Na me") AND length(copy) = 32'), '0');
    const originals = `SELECT count(*) FROM users WHERE email_tsv @@ 'person8@corp.example'::tsquery OR lowered LIKE '%corp%'`;
    assert.equal(await server.sql(database, originals), '0');
  };

  it('are computed of the masked values, however the rows stand in the dump, and fire no trigger', async () => {
    for (const options of [
      [],
      ['--inserts'],
      ['--column-inserts', '--rows-per-insert=100'],
      ['--load-via-partition-root'],
    ]) {
      const { bytes, report } = await made(await dump(...options), 'masked');
      const users = report.tables.find(({ name }) => name === 'public.users');
      assert.deepEqual([users?.rowsIn, users?.rowsOut], [3000, 3000]);
      await isFilled(await loaded(bytes.toString()), 3000);
      await isFilled(await loaded(await sealedSql(bytes)), 3000);
    }
  });

  it('are computed in a reduced variant', async () => {
    const { bytes, report } = await made(await dump(), 'reduced');
    const rows = report.tables.find(({ name }) => name === 'public.users')?.rowsOut ?? 0;
    assert.ok(rows > 100 && rows < 600, String(rows));
    await isFilled(await loaded(await sealedSql(bytes)), rows);
  });

  it('come by one statement for each table with rows, between the rows and what is made of them', async () => {
    const bytes = await dump();
    const text = (await made(bytes, 'masked')).bytes.toString();
    const statements = [...text.matchAll(/^UPDATE .*$/gm)].map(([statement]) => statement.split(' SET ')[0]);
    assert.deepEqual(statements.sort(), [
      'UPDATE ONLY "od.d"."Ba""se"',
      'UPDATE ONLY "od.d"."child"',
      'UPDATE ONLY "public"."empty"',
      'UPDATE ONLY "public"."events_2025"',
      'UPDATE ONLY "public"."events_2026"',
      'UPDATE ONLY "public"."users"',
    ]);
    assert.ok(text.lastIndexOf('\n\\.\n') < text.indexOf('\nUPDATE '), 'rows come first');
    for (const later of ['ADD CONSTRAINT users_', 'CREATE INDEX', 'CREATE TRIGGER'])
      assert.ok(text.lastIndexOf('\nUPDATE ') < text.indexOf(later), later);
  });

  it('are the same bytes in whatever pieces the dump comes, and others for another expression', async () => {
    const bytes = await dump();
    const one = await made(bytes, 'masked');
    assert.equal((await made(bytes, 'masked', 777)).sha256, one.sha256);
    await variants.policy(POLICY.replace("to_tsvector('simple', note)", "to_tsvector('english', note)"));
    const other = await made(bytes, 'masked');
    assert.notEqual(other.policyHash, one.policyHash);
    assert.notEqual(other.sha256, one.sha256);
  });

  it('fail as a whole where the expression means nothing to the database, and nothing is left of the rows', async () => {
    await variants.policy(POLICY.replace("to_tsvector('simple', note)", 'no_such_function(note)'));
    const { bytes } = await made(await dump(), 'masked');
    const name = `target_${databases + 1}`;
    await assert.rejects(loaded(await sealedSql(bytes)), /no_such_function/);
    assert.equal(await server.sql(name, "SELECT count(*) FROM pg_class WHERE relname = 'users'"), '0');
  });

  it('stop the variant before its first byte where an expression is not one, or what it reads is not there', async () => {
    const bytes = await dump();
    for (const [expression, said] of [
      ['lower(note); DROP TABLE users', /`;`/],
      ['lower(notes)', /Did you mean `note`/],
      ['words', /reads the column itself/],
    ] as const) {
      await variants.policy(POLICY.replace("to_tsvector('simple', note)", expression));
      await assert.rejects(made(bytes, 'masked'), (error) => {
        assert.ok(error instanceof HoldfastError);
        assert.equal(error.code, 'variant-blocked');
        assert.match(error.message, said);
        return true;
      });
    }
  });
});
