import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import {
  type ArchiveContents,
  type ArchiveEntry,
  readArchiveContents,
} from '../src/postgresql-archive/archive-contents.ts';
import { eventually } from './eventually.ts';
import { giveToServer } from './postgresql-instance.ts';
import { completed, failed, NOTHING, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { SERVER_PROGRAMS as NEWEST_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { PROVIDED_VERSIONS, SKIP_REASON_VERSIONS } from './postgresql-versions.ts';

const run = promisify(execFile);
const SERVER_PROGRAMS = NEWEST_PROGRAMS ?? 'none';

/** Makes tables large, and adds some with what text of rows can hold. */
const LARGE = `
ALTER TABLE sales.customers DROP COLUMN attributes;
INSERT INTO sales.customers (name, place) SELECT 'customer ' || g || E' tab\\t ü 漢 \\\\ \\\\. \\r', ROW(g, -g)::sales.point FROM generate_series(501, 20000) g;
INSERT INTO sales.orders (customer, total, at, raw, document)
  SELECT 1 + g % 500, g / 7.0, date '2025-06-01' + g % 900, decode(md5(g::text), 'hex'), jsonb_build_object('n', g, 't', E'line\\nend') FROM generate_series(1, 60000) g;
INSERT INTO "Odd Schema"."a ""quoted"".name; --" SELECT g, repeat('漢', g % 50) FROM generate_series(1, 20000) g;
SET TimeZone = 'Asia/Tokyo';
CREATE TABLE kinds AS SELECT g AS id, g / 3.0::float8 AS eight, (g / 7.0)::float4 AS four, now() - g * interval '1 minute' AS at, (g || ' days')::interval AS span,
  ARRAY[g::text, NULL, 'a,"b'] AS list, int4range(g, g + 5) AS range, g::money AS money, B'1011' AS bits, 'public.kinds2'::text AS name, NULL::int AS nothing, ('x' || g)::name AS short
  FROM generate_series(1, 20000) g;
CREATE TABLE whole (id int, filler text);
CREATE TABLE "part" (more int) INHERITS (whole);
INSERT INTO whole SELECT g, repeat('p', 100) FROM generate_series(1, 20000) g;
INSERT INTO part SELECT g, repeat('c', 100), g FROM generate_series(1, 20000) g;
CREATE TABLE nothing_in_it AS SELECT g AS id FROM generate_series(1, 100000) g;
DELETE FROM nothing_in_it;
CREATE TABLE paged (id int, text text, long text, doubled int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE paged ALTER long SET STORAGE EXTERNAL;
INSERT INTO paged SELECT g, repeat(md5(g::text), 6), CASE WHEN g % 5000 = 0 THEN repeat('l', 200000) END FROM generate_series(1, 120000) g;
DELETE FROM paged WHERE id BETWEEN 30000 AND 50000 OR id % 7 = 0;
UPDATE paged SET text = 'moved' WHERE id % 11 = 0;
CREATE UNLOGGED TABLE unlogged AS SELECT g AS id, repeat('u', 100) AS filler FROM generate_series(1, 20000) g;
`;

const COPIED = [
  ...[
    'Odd Schema.a "quoted".name; --',

    'public.kinds',
    'public.nothing_in_it',
    'public.paged',
    'public.part',
    'public.unlogged',
    'public.whole',
  ],
  ...['sales.customers', 'sales.orders_2025', 'sales.orders_2026', 'sales.orders_rest'],
];

const versions = [
  { title: 'the newest server here', programs: SERVER_PROGRAMS, skip: SKIP_REASON, hasExtensions: true },
  ...PROVIDED_VERSIONS.map(({ major, programs }) => ({
    title: `PostgreSQL ${major}`,
    programs,
    skip: SKIP_REASON_VERSIONS,
    hasExtensions: false,
  })),
];

for (const { title, programs, skip, hasExtensions } of versions)
  describe(`rows that are read beside pg_dump from ${title}`, { skip, timeout: 600_000 }, () => {
    let rig: PostgresqlRig;
    let folder: string;
    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'copied-'));
      rig = await PostgresqlRig.create({}, programs);
      await rig.server.sql('postgres', `CREATE DATABASE shop TEMPLATE template0 ENCODING 'UTF8'; ${SAMPLE_ROLES}`);
      await rig.server.sql('shop', hasExtensions ? SAMPLE : withoutExtensions(SAMPLE));
      await rig.server.sql('shop', LARGE);
    });
    after(async () => {
      await rig.remove();
      await rm(folder, { recursive: true, force: true });
    });

    test('make an archive that differs from that of pg_dump in nothing but the order of tables', async () => {
      const backup = await rig.backUp({ databases: ['shop'], binaries: programs });
      const ours = path.join(folder, 'ours.dump');
      await writeFile(ours, await rig.file(backup, 'databases/shop.dump'));
      const theirs = path.join(folder, 'theirs.dump');
      await rig.server.dump('shop', '--format=custom', '--compress=0', `--file=${theirs}`);
      const [found, wanted] = [await contentsOf(ours), await contentsOf(theirs)];
      assert.deepEqual(tablesOf(found).toSorted(), tablesOf(wanted).toSorted());
      assert.deepEqual(tablesOf(found).slice(-COPIED.length), COPIED);
      for (const entry of wanted.entries.filter(({ kind }) => kind === 'TABLE DATA')) {
        const same = found.entries.find(({ kind, oid }) => kind === entry.kind && oid === entry.oid);
        assert.deepEqual(withoutPlace(found, same), withoutPlace(wanted, entry));
      }
      assert.equal(new Set(found.entries.map(({ id }) => id)).size, found.entries.length);
      const [sql, expected] = await Promise.all([sqlOf(ours, programs), sqlOf(theirs, programs)]);
      sameText(sql, expected);
    });

    test('are read whole by one session, by ranges of pages by several where a table is large, and come in the same order', async () => {
      const scans = `SELECT pg_stat_clear_snapshot(), seq_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'paged'`;
      const whole = (await rig.server.sql('shop', scans)).split('|').map(Number);
      const dumps: string[] = [];
      for (const jobs of [1, 5]) {
        const backup = await rig.backUp({ databases: ['shop'], binaries: programs, jobs });
        const file = path.join(folder, `${jobs}.dump`);
        await writeFile(file, await rig.file(backup, 'databases/shop.dump'));
        dumps.push(await sqlOf(file, programs));
        await rm(file);
      }
      for (const each of dumps.slice(1)) sameText(each, dumps[0] ?? '');
      const now = (await rig.server.sql('shop', scans)).split('|').map(Number);
      // Whole scans are counted, ranges are not.
      assert.equal(now[1], (whole[1] ?? 0) + 1);
    });

    test('are counted as the server counts them, and restored whole, in part and by several processes', async () => {
      const backup = await rig.backUp({ databases: ['shop'], binaries: programs });
      const { databases } = JSON.parse((await rig.file(backup, 'contents.json')).toString());
      for (const { schema, name, rows } of databases[0].tables) {
        const quoted = [schema, name].map((each) => `"${each.replaceAll('"', '""')}"`).join('.');
        assert.equal(
          String(rows),
          (await rig.server.sql('shop', `SELECT count(*) FROM ONLY ${quoted}`)).trim(),
          quoted,
        );
      }
      completed(await rig.restore(backup, { targetDatabase: 'whole', jobs: 3 }));
      sameText(await rig.server.dump('whole'), await rig.server.dump('shop'));
      completed(await rig.restore(backup, { targetDatabase: 'part', tables: ['public.kinds'] }));
      const rows = "SELECT md5(string_agg(kinds::text, '|' ORDER BY id)) FROM kinds";
      assert.equal(await rig.server.sql('part', rows), await rig.server.sql('shop', rows));
      assert.match(
        (await rig.content(backup)).toString(),
        /COPY sales\.customers \(id, name, place, number\) FROM stdin;/,
      );
    });

    test('are those of the moment at which the backup began', async () => {
      const gate = await rig.server.sql('shop', 'SELECT count(*) FROM part');
      const operation = await rig.start({ databases: ['shop'], binaries: programs });
      const inserting = rig.server.sql(
        'shop',
        `DO $$ BEGIN FOR n IN 1..200 LOOP INSERT INTO part SELECT -1, 'later', 0 FROM generate_series(1, 100); COMMIT; END LOOP; END $$`,
      );
      const ended = completed(await rig.ended(operation));
      await inserting;
      const backup = await rig.managed.application.backups.get(ended.backupId ?? '');
      const { databases } = JSON.parse((await rig.file(backup, 'contents.json')).toString());
      const { rows } = databases[0].tables.find(({ name }: { name: string }) => name === 'part');
      assert.equal((rows - Number(gate)) % 100, 0);
      completed(await rig.restore(backup, { targetDatabase: 'moment' }));
      assert.equal((await rig.server.sql('moment', 'SELECT count(*) FROM part')).trim(), String(rows));
    });
  });

describe('rows that are read beside pg_dump', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let rig: PostgresqlRig;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'copied-'));
    rig = await PostgresqlRig.create();
    await rig.server.sql('postgres', `CREATE DATABASE shop TEMPLATE template0 ENCODING 'UTF8'`);
    await rig.server.sql(
      'shop',
      `CREATE TABLE large AS SELECT g AS id, repeat(md5(g::text), 4) AS filler FROM generate_series(1, 50000) g; CREATE TABLE small (id int)`,
    );
  });
  after(async () => {
    await rig.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Client tools of which pg_dump runs a line of shell before it dumps. */
  async function binariesWith(name: string, line: string): Promise<string> {
    const binaries = path.join(folder, name);
    await mkdir(binaries);
    for (const tool of ['pg_dumpall', 'pg_restore', 'psql'])
      await symlink(path.join(SERVER_PROGRAMS, tool), path.join(binaries, tool));
    const program = `${SERVER_PROGRAMS}/pg_dump`;
    const script = `#!/bin/sh\ncase "$1" in --version) exec ${program} "$@";; esac\n${line}\nexec ${program} "$@"\n`;
    await writeFile(path.join(binaries, 'pg_dump'), script);
    await chmod(folder, 0o755);
    await chmod(path.join(binaries, 'pg_dump'), 0o755);
    return binaries;
  }

  test('come from pg_dump after all where its archive is not as it is known', async () => {
    const binaries = await binariesWith('compressing', 'set -- "$@" --compress=1');
    const backup = await rig.backUp({ databases: ['shop'], binaries });
    const { databases } = JSON.parse((await rig.file(backup, 'contents.json')).toString());
    assert.deepEqual(
      databases[0].tables.map(({ name, rows }: { name: string; rows: number }) => [name, rows]),
      [
        ['large', 50000],
        ['small', 0],
      ],
    );
    completed(await rig.restore(backup, { targetDatabase: 'copy' }));
    sameText(await rig.server.dump('copy'), await rig.server.dump('shop'));
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('come from pg_dump where somebody waits for it to be done with a table, whom nothing keeps waiting', async () => {
    const calls = path.join(folder, 'calls');
    const slow = await binariesWith(
      'slow',
      `echo dump >>${calls}; ${SERVER_PROGRAMS}/pg_dump "$@" | (sleep 2; cat); exit`,
    );
    await rig.server.sql('postgres', `CREATE DATABASE waited TEMPLATE template0 ENCODING 'UTF8'`);
    // Small ones, of which more are to come than are on their way, so that pg_dump holds its locks.
    await rig.server.sql(
      'waited',
      `CREATE TABLE large AS SELECT g AS id, repeat(md5(g::text), 4) AS filler FROM generate_series(1, 50000) g;
      DO $$ BEGIN FOR n IN 1..10 LOOP
        EXECUTE format('CREATE TABLE small_%s AS SELECT repeat(md5(g::text), 20) AS filler FROM generate_series(1, 1000) g', n);
      END LOOP; END $$`,
    );
    const operation = await rig.start({ databases: ['waited'], binaries: slow });
    const locks = `SELECT count(DISTINCT relation) FROM pg_locks WHERE relation::regclass::text ~ '^(small|large)' AND mode = 'AccessShareLock'`;
    await eventually(async () => (await rig.server.sql('waited', locks)) === '11', 'pg_dump locked nothing');
    await rig.server.sql('waited', 'ALTER TABLE large ADD COLUMN more int');
    const backup = await rig.managed.application.backups.get(completed(await rig.ended(operation)).backupId ?? '');
    assert.equal(await readFile(calls, 'utf8'), 'dump\n'.repeat(2));
    completed(await rig.restore(backup, { targetDatabase: 'did not wait' }));
    assert.equal(await rig.server.sql('did not wait', 'SELECT count(*), count(filler) FROM large'), '50000|50000');
  });

  test('come from pg_dump where names would have to be written in another encoding', async () => {
    await rig.server.sql(
      'postgres',
      `CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    await rig.server.sql(
      'latin',
      `CREATE TABLE "größe" AS SELECT g AS "zähler", repeat('ü', 100) AS filler FROM generate_series(1, 20000) g`,
    );
    const backup = await rig.backUp({ databases: ['latin'] });
    completed(await rig.restore(backup, { targetDatabase: 'latin copy' }));
    sameText(await rig.server.dump('latin copy'), await rig.server.dump('latin'));
  });

  test('are in the encoding that the archive names, whatever one a database or role asks for', async () => {
    await rig.server.sql('postgres', `CREATE DATABASE words TEMPLATE template0 ENCODING 'UTF8'`);
    await rig.server.sql(
      'words',
      `CREATE TABLE large AS SELECT g AS id, repeat('ü', 100) AS filler FROM generate_series(1, 20000) g;
      CREATE TABLE small AS SELECT 'ß' AS word;
      ALTER DATABASE words SET client_encoding = 'LATIN1'`,
    );
    const backup = await rig.backUp({ databases: ['words'] });
    completed(await rig.restore(backup, { targetDatabase: 'words copy' }));
    const [found, wanted] = await Promise.all(
      ['words copy', 'words'].map((database) => rig.server.dump(database, '--encoding=UTF8')),
    );
    sameText(found ?? '', wanted ?? 'nothing');
  });

  test('come by TLS as well', async () => {
    const { server } = rig;
    const [key, certificate] = ['server.key', 'server.crt'].map((name) => path.join(server.folder, name));
    const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
    await run('openssl', [...words, '-keyout', key ?? '', '-out', certificate ?? '']);
    await chmod(key ?? '', 0o600);
    giveToServer(server.folder);
    await server.configure([`ssl_key_file = '${key}'`, `ssl_cert_file = '${certificate}'`, 'ssl = on']);
    await server.stop();
    await server.start();
    const { socket: _, ...place } = server.connection();
    const connection = { ...place, host: '127.0.0.1', tls: { mode: 'require' } };
    const backup = await rig.backUp({ databases: ['shop'], connection });
    completed(await rig.restore(backup, { targetDatabase: 'by TLS' }));
    sameText(await server.dump('by TLS'), await server.dump('shop'));
  });

  test('are of the same snapshot as the rows that pg_dump reads', async () => {
    const binaries = await binariesWith(
      'changing',
      `${SERVER_PROGRAMS}/psql -X -q -c "INSERT INTO large VALUES (0, 'late'); INSERT INTO small VALUES (0); CREATE TABLE late (id int)" >&2`,
    );
    const backup = await rig.backUp({ databases: ['shop'], binaries });
    await rig.server.sql('shop', 'DROP TABLE late');
    completed(await rig.restore(backup, { targetDatabase: 'earlier' }));
    assert.equal(
      await rig.server.sql('earlier', `SELECT (SELECT count(*) FROM large), (SELECT count(*) FROM small)`),
      '50000|0',
    );
    const written = `SELECT (SELECT count(*) FROM large WHERE id = 0), (SELECT count(*) FROM small)`;
    assert.equal(await rig.server.sql('shop', written), '1|1');
    await rig.server.sql('shop', 'DELETE FROM large WHERE id = 0; DELETE FROM small');
  });

  test('have names that are reserved in the version of pg_dump alone in quotes', {
    skip: SKIP_REASON_VERSIONS,
  }, async () => {
    await rig.server.sql('postgres', 'CREATE DATABASE reserved');
    await rig.server.sql(
      'reserved',
      `CREATE TABLE large AS SELECT g AS id, repeat('x', 100) AS "system_user" FROM generate_series(1, 20000) g`,
    );
    const backup = await rig.backUp({ databases: ['reserved'], binaries: PROVIDED_VERSIONS[0]?.programs });
    const sql = (await rig.content(backup)).toString();
    assert.match(sql, /^COPY .*\(.*"system_user"\) FROM stdin;$/m);
  });

  test('come from pg_dump where it writes them for the root of partitions, as other servers hash enumerations otherwise', async () => {
    await rig.server.sql('postgres', 'CREATE DATABASE moods');
    await rig.server.sql(
      'moods',
      `CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'); CREATE TABLE felt (mood mood, id int, filler text) PARTITION BY HASH (mood);
      CREATE TABLE felt_0 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
      CREATE TABLE felt_0_all PARTITION OF felt_0 DEFAULT;
      CREATE TABLE felt_1 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO felt SELECT (enum_range(NULL::mood))[1 + g % 8], g, repeat('m', 100) FROM generate_series(1, 40000) g`,
    );
    const backup = await rig.backUp({ databases: ['moods'] });
    const sql = (await rig.content(backup)).toString();
    assert.equal(sql.match(/^COPY public\.felt \(/gm)?.length, 2);
    assert.doesNotMatch(sql, /^COPY public\.felt_/m);
  });

  test('are left out where the configuration leaves them out', async () => {
    const backup = await rig.backUp({ databases: ['shop'], tables: { excludeData: ['public.large'] } });
    completed(await rig.restore(backup, { targetDatabase: 'empty' }));
    assert.equal((await rig.server.sql('empty', 'SELECT count(*) FROM large')).trim(), '0');
    const chosen = await rig.backUp({ databases: ['shop'], tables: { include: ['public.large'] } });
    completed(await rig.restore(chosen, { targetDatabase: 'chosen' }));
    assert.equal((await rig.server.sql('chosen', 'SELECT count(*) FROM large')).trim(), '50000');
  });
});

test('rows of a table that is damaged fail the backup, which names the table', { skip: SKIP_REASON }, async () => {
  const rig = await PostgresqlRig.create();
  try {
    const { server } = rig;
    await server.sql(
      'postgres',
      `CREATE TABLE torn AS SELECT g AS id, repeat('x', 100) AS filler FROM generate_series(1, 50000) g; CHECKPOINT`,
    );
    const file = path.join(server.data, await server.sql('postgres', `SELECT pg_relation_filepath('torn')`));
    await server.stop();
    const handle = await open(file, 'r+');
    await handle.write(Buffer.alloc(24, 0xaa), 0, 24, 300 * 8192);
    await handle.close();
    await server.start();
    const ended = await rig.ended(await rig.start({ databases: ['postgres'] }));
    failed(ended, 'postgresql-query-failed', /public\.torn.*"postgres".*XX001.*invalid page in block 300/);
    assert.deepEqual(await rig.leftovers(), NOTHING);
  } finally {
    await rig.remove();
  }
});

/** Servers that come without contributed modules have none of them. */
function withoutExtensions(sample: string): string {
  const plain = sample.replaceAll(/^(CREATE EXTENSION|.*gin_trgm_ops).*$/gm, '');
  return plain.replace('attributes hstore', 'attributes text').replace("hstore('n', g::text)", 'g::text');
}

async function contentsOf(file: string): Promise<ArchiveContents> {
  const { stdout } = await run('head', ['-c', '4000000', file], { encoding: 'buffer', maxBuffer: 5_000_000 });
  const contents = readArchiveContents(stdout);
  assert.ok(contents !== undefined && contents !== 'more');
  return contents;
}

/** Those with rows, in their order. */
function tablesOf({ entries }: ArchiveContents): string[] {
  return entries
    .filter(({ kind }) => kind === 'TABLE DATA')
    .map(({ schema, tag }) => `${nameOf(schema)}.${nameOf(tag)}`);
}

const nameOf = (bytes: Buffer): string => bytes.toString('utf8', 5);

/** All bytes of an entry but its own number and where its rows stand, which pg_dump writes to files alone. */
function withoutPlace({ bytes }: ArchiveContents, entry: ArchiveEntry | undefined): string {
  assert.ok(entry !== undefined);
  return bytes.toString('latin1', entry.from + 5, entry.to - 9);
}

/** What a restore of the archive would run, table by table in the order of their names. */
async function sqlOf(file: string, programs: string): Promise<string> {
  const { stdout } = await run(path.join(programs, 'pg_restore'), ['--file=-', file], { maxBuffer: 1 << 30 });
  const parts = stdout.replaceAll(/^\\(un)?restrict .*$/gm, '').split(/^(?=--\n-- (?:Data for )?Name: )/m);
  return parts.toSorted().join('');
}
