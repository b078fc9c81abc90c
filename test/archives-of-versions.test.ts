import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, test } from 'node:test';
import type { SourceArchive } from '../src/core/ports/service-download.ts';
import { scanArchive } from '../src/downloads/content/postgresql/archive-scanner.ts';
import { createPostgresqlContent } from '../src/downloads/content/postgresql/postgresql-content.ts';
import { sqlOfForeignArchive } from '../src/services/postgresql/foreign-archive.ts';
import { archiveInMemory } from './archive-in-memory.ts';
import { inPieces, PolicyVariants } from './policy-variants-rig.ts';
import { completed, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { PROVIDED_VERSIONS, type ProvidedVersion, SKIP_REASON_VERSIONS } from './postgresql-versions.ts';
import { ShownRows } from './shown-rows.ts';
import { collected } from './variant-rig.ts';

/* The programs of this machine are of one version; what others write is read as well. */
for (const version of PROVIDED_VERSIONS)
  describe(`PostgreSQL ${version.major}`, { skip: SKIP_REASON_VERSIONS, timeout: 600_000 }, () => testsOf(version));

function testsOf({ major, programs, compressions }: ProvidedVersion): void {
  const signal = new AbortController().signal;
  const usualPath = process.env.PATH;
  let rig: PostgresqlRig;
  let variants: PolicyVariants;
  const sql = (database: string, script: string) => rig.server.sql(database, script);
  before(async () => {
    rig = await PostgresqlRig.create({}, programs);
    await sql('postgres', 'CREATE DATABASE garden');
    await sql('garden', garden(major));
    process.env.PATH = `${programs}:${usualPath}`;
    variants = await PolicyVariants.create();
    await variants.policy(policy(major));
  });
  after(async () => {
    process.env.PATH = usualPath;
    await rig?.remove();
    await variants?.remove();
  });

  const archived = (method: string): Buffer => {
    const { folder, port, password } = rig.server;
    const file = path.join(rig.folder, 'archive');
    const connection = `host=${folder} port=${port} user=postgres dbname=garden`;
    const words = ['--format=custom', `--compress=${method}`, `--file=${file}`, `--dbname=${connection}`];
    execFileSync(path.join(programs, 'pg_dump'), words, { env: { ...process.env, PGPASSWORD: password } });
    return readFileSync(file);
  };
  /** What pg_restore makes of an archive that comes through a pipe. */
  const restored = async (archive: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const words = ['--file=-', '--no-owner', '--restrict-key=test'];
    const child = spawn(path.join(programs, 'pg_restore'), words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const feeding = pipeline(Readable.from(archive, { objectMode: false }), child.stdin);
    return (await Promise.all([collected(child.stdout), feeding]))[0];
  };

  test('writes archives that show their rows as the SQL does that is made of them', async () => {
    const archive = archived('none');
    const [shown, wanted] = [new ShownRows([0]), new ShownRows([0])];
    await scanArchive(inPieces(archive, 1021), shown, signal);
    await createPostgresqlContent().scan(inPieces(await restored(inPieces(archive, 1 << 16)), 1 << 16), wanted, signal);
    assert.deepEqual(shown.seen, wanted.seen);
    assert.ok(shown.seen.length > 900);
  });

  test('writes archives of which subsets are the very bytes that come of their SQL, compressed or not', async () => {
    const content = { bytes: await restored(inPieces(archived('none'), 1 << 16)), dialect: 'postgresql' } as const;
    const plain = await variants.make(content, 'reduced');
    for (const method of ['none', 'gzip', ...compressions]) {
      const archive = archived(method);
      const given: number[] = [];
      const source: SourceArchive = {
        bytes: () => inPieces(archive, 4099),
        async *sqlOf(change) {
          const changed = await collected(change(archiveInMemory(archive, [4099])));
          given.push(changed.length);
          yield await restored(inPieces(changed, 1 << 16));
        },
      };
      variants.sidecars.clear();
      const made = await variants.make({ ...content, archive: source }, 'reduced');
      assert.ok(made.bytes.equals(plain.bytes), method);
      assert.deepEqual(made.report.tables, plain.report.tables);
      const again = await variants.make({ ...content, archive: source }, 'reduced');
      assert.ok(again.bytes.equals(plain.bytes), `${method}, by the index that was kept`);
      if (method === 'none') assert.ok(given[0]! < archive.length / 3, `${given} of ${archive.length}`);
      else assert.equal(given[0], archive.length, method);
    }
    await sql('postgres', 'CREATE DATABASE reduced');
    await sql('reduced', plain.bytes.toString());
    const counts = 'SELECT (SELECT count(*) FROM owners), count(*), count(DISTINCT owner) FROM visits';
    assert.equal(await sql('reduced', counts), '5|10|5');
  });

  test('writes archives that are read where another tool kept them, compressed or not', async () => {
    for (const method of ['none', 'gzip', ...compressions]) {
      const archive = archived(method);
      const script = await collected(sqlOfForeignArchive(inPieces(archive, 4099), archive.subarray(0, 16), signal));
      await sql('postgres', `CREATE DATABASE "by ${method}"`);
      await sql(`by ${method}`, script.toString());
      for (const table of TABLES) assert.equal(await rows(`by ${method}`, table), await rows('garden', table), table);
    }
  });

  test('is backed up and restored by its own tools, whole or some of its tables', async () => {
    const backup = await rig.backUp({ databases: ['garden'], binaries: programs });
    completed(await rig.restore(backup, { targetDatabase: 'again' }));
    sameText(await rig.server.dump('again'), await rig.server.dump('garden'));
    const tables = ['public.visits', 'public.owners'];
    await sql('postgres', 'CREATE DATABASE part');
    await sql('part', types(major));
    completed(await rig.restore(backup, { targetDatabase: 'part', tables }));
    for (const table of tables) assert.equal(await rows('part', table), await rows('garden', table), table);
    const names = `SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384`;
    assert.equal(await sql('part', names), 'owners visits visits_2025 visits_rest');
  });

  const rows = (database: string, table: string): Promise<string> =>
    sql(database, `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`);
}

const TABLES = ['owners', 'visits', 'empty', 'long', 'ONLY parent', 'child', '"Odd Schema"."a ""quoted"".name; --"'];

/** The extension that comes with the programs. */
const extensionOf = (major: number) => (major === 17 ? 'hstore' : 'vector');
const types = (major: number) =>
  `CREATE EXTENSION ${extensionOf(major)}; CREATE TYPE state AS ENUM ('planned', 'done');`;

/** One of all that a dump of rows may have. */
function garden(major: number): string {
  const value = major === 17 ? `hstore('n', g::text)` : `('[1,' || g || ']')::vector`;
  return `
${types(major)}
CREATE TABLE owners (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  shouted text GENERATED ALWAYS AS (upper(name)) STORED,
  ${major >= 18 ? 'seen text GENERATED ALWAYS AS (name || id) VIRTUAL,' : ''}
  extended ${extensionOf(major)}
);
COMMENT ON TABLE owners IS 'who owns; "it''s" theirs';
COMMENT ON COLUMN owners.name IS E'as they\\nwrite it';
INSERT INTO owners (name, extended)
  SELECT 'owner ' || g || E' tab\\t line\\n back\\\\ ü 漢 \\\\.', ${value} FROM generate_series(1, 100) g;
CREATE TABLE visits (
  id serial, owner bigint NOT NULL REFERENCES owners, state state NOT NULL DEFAULT 'planned', at date NOT NULL,
  raw bytea, document jsonb, PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visits_rest PARTITION OF visits DEFAULT;
INSERT INTO visits (owner, at, raw, document)
  SELECT 1 + g % 100, date '2025-06-01' + g, decode(md5(g::text), 'hex'), jsonb_build_object('n', g) FROM generate_series(1, 600) g;
CREATE INDEX ON visits (owner);
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE long (id int PRIMARY KEY, what text);
ALTER TABLE long ALTER what SET STORAGE EXTERNAL;
INSERT INTO long SELECT g, repeat('long ', g * 20000) FROM generate_series(1, 5) g;
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."a ""quoted"".name; --" ("col umn" int PRIMARY KEY, "select" text);
INSERT INTO "Odd Schema"."a ""quoted"".name; --" SELECT g, NULLIF('\\N', 'x') FROM generate_series(1, 200) g;
CREATE UNLOGGED TABLE parent (a int PRIMARY KEY);
CREATE UNLOGGED TABLE child (b text) INHERITS (parent);
INSERT INTO child SELECT g, NULL FROM generate_series(1, 100) g;
CREATE MATERIALIZED VIEW totals AS SELECT state, count(*) AS n FROM visits GROUP BY state;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE SEQUENCE numbers START 1000 INCREMENT 7;
CREATE STATISTICS together ON owner, state FROM visits;
SELECT lo_from_bytea(0, decode(repeat('00ff17', 400), 'hex')) FROM generate_series(1, 3);
ANALYZE;
`;
}

/** After the head that `PolicyVariants.policy` writes. */
function policy(major: number): string {
  return `
variants:
  masked: { keep: full }
  reduced:
    extends: masked
    subset:
      seed: dev
      roots:
        - { table: public.owners, limit: 5 }
      follow:
        - { from: public.owners, to: public.visits, via: owner, limit_per_parent: 2 }
      unconnected: { "*": none }
domains:
  person.name: name
tables:
  public.owners: { columns: { id: keep, name: person.name, shouted: generated,${major >= 18 ? ' seen: generated,' : ''} extended: keep } }
  public.visits: { columns: { id: keep, owner: keep, state: keep, at: keep, raw: keep, document: keep } }
  public.empty: { columns: { id: keep } }
  public.long: { columns: { id: keep, what: keep } }
  'Odd Schema."a ""quoted"".name; --"': { columns: { "col umn": keep, select: keep } }
  public.parent: { columns: { a: keep } }
  public.child: { columns: { a: keep, b: keep } }
`;
}
