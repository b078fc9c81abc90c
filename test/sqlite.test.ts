import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { gather } from './managed-application.ts';
import { FILLER, makeDatabase, NumberedRows, query, SqliteRig } from './sqlite-rig.ts';

const EVERY_OBJECT = `
  PRAGMA user_version = 41; PRAGMA application_id = 1179602516;
  CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE, born INTEGER,
    label TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL, kept TEXT GENERATED ALWAYS AS (name || '!') STORED);
  CREATE INDEX people_by_expression ON people (lower(name), born + 1) WHERE born IS NOT NULL;
  CREATE UNIQUE INDEX people_unique ON people (name);
  CREATE TABLE pairs (a TEXT, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE TABLE strict_ones (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people (id), amount REAL) STRICT;
  CREATE TABLE "odd ""name""; --" (x);
  CREATE TABLE log (what TEXT);
  CREATE TRIGGER people_added AFTER INSERT ON people BEGIN INSERT INTO log VALUES ('added ' || new.name); END;
  CREATE VIEW grown_up AS SELECT name, kept FROM people WHERE born < 2000;
  CREATE VIRTUAL TABLE texts USING fts5(title, body);
  CREATE VIRTUAL TABLE old_texts USING fts4(body);
  CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
  INSERT INTO people (name, born) VALUES ('Ada', 1815), ('Grace', 1906), ('Żółć', 2001), ('未来', NULL);
  INSERT INTO pairs VALUES ('empty', x''), ('zero', zeroblob(200000)), ('random', randomblob(70000));
  INSERT INTO strict_ones VALUES (1, 1, 0.1), (2, NULL, -1e300);
  INSERT INTO "odd ""name""; --" VALUES (NULL), (1), ('two'), (x'03');
  INSERT INTO texts VALUES ('first', 'the quick brown fox'), ('second', 'jumps over');
  INSERT INTO old_texts VALUES ('lazy dog');
  INSERT INTO boxes VALUES (1, 0.0, 2.5);
  ANALYZE;`;

describe('SQLite databases that are backed up', () => {
  let rig: SqliteRig;

  before(async () => {
    rig = await SqliteRig.create();
  });
  after(() => rig.remove());

  for (const mode of ['wal', 'delete'] as const) {
    test(`a database that is written to all the time is in each backup as it was at one moment (${mode})`, async () => {
      const file = rig.place(`busy-${mode}.db`);
      const rows = await NumberedRows.start(file, mode);
      try {
        for (let round = 0; round < 20; round++) {
          await rows.reach(rows.committed + 5);
          const before = rows.committed;
          const backup = await rig.backUp(file, { pagesPerStep: 64, busyTimeoutMilliseconds: 120_000 });
          const target = rig.place(`restored-${mode}-${round}.db`);
          await rig.restore(backup, { target });
          assert.deepEqual(query(target, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
          const [found] = query(
            target,
            'SELECT count(*) AS rows, max(n) AS last, (SELECT count(*) FROM pairs) AS pairs, (SELECT max(n) FROM pairs) AS pair FROM numbered',
          );
          assert.ok(found);
          assert.deepEqual(found, { rows: found.last, last: found.last, pairs: found.last, pair: found.last });
          assert.ok(Number(found.last) >= before, `${found.last} rows, and ${before} were committed before it began`);
        }
      } finally {
        await rows.stop();
      }
      assert.deepEqual(await rig.leftovers(), []);
    });
  }

  test('every kind of object comes back, and its facts are on record', async () => {
    const file = rig.place('objects.db');
    makeDatabase(file, EVERY_OBJECT);
    const backup = await rig.backUp(file, { checks: 'full' });
    const target = rig.place('objects-restored.db');
    const { result } = await rig.restore(backup, { target });
    const schema = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name';
    assert.deepEqual(query(target, schema), query(file, schema));
    for (const table of ['people', 'pairs', 'strict_ones', '"odd ""name""; --"', 'log', 'grown_up', 'sqlite_sequence'])
      assert.deepEqual(query(target, `SELECT * FROM ${table}`), query(file, `SELECT * FROM ${table}`));
    assert.deepEqual(query(target, "SELECT title FROM texts WHERE texts MATCH 'fox'"), [{ title: 'first' }]);
    assert.deepEqual(query(target, "SELECT body FROM old_texts WHERE old_texts MATCH 'dog'"), [{ body: 'lazy dog' }]);
    const recorded = await rig.recorded(backup);
    const { pageSize, pageCount, userVersion, applicationId, journalMode, schemaVersion, tables, sha256 } = recorded;
    assert.deepEqual(
      { pageSize, userVersion, applicationId, journalMode },
      { pageSize: 4096, userVersion: 41, applicationId: 1179602516, journalMode: 'delete' },
    );
    assert.equal(Number(pageSize) * Number(pageCount), backup.size);
    assert.equal(`sha256:${sha256}`, backup.checksum);
    assert.ok(Number(schemaVersion) > 0);
    const counts = new Map((tables as { name: string; rows: number }[]).map(({ name, rows }) => [name, rows]));
    assert.deepEqual(
      ['people', 'pairs', 'odd "name"; --', 'log', 'texts_content'].map((name) => counts.get(name)),
      [4, 3, 4, 4, 2],
    );
    assert.equal(recorded.tableCount, counts.size);
    assert.equal(result?.tables, counts.size);
  });

  for (const pageSize of [512, 1024, 4096, 16_384, 65_536])
    for (const mode of ['wal', 'delete'])
      test(`pages of ${pageSize} bytes come back as they were (${mode})`, async () => {
        const file = rig.place(`pages-${pageSize}-${mode}.db`);
        makeDatabase(file, `PRAGMA page_size=${pageSize}; PRAGMA journal_mode=${mode}; ${FILLER}`);
        const backup = await rig.backUp(file);
        const target = rig.place(`pages-${pageSize}-${mode}-restored.db`);
        await rig.restore(backup, { target });
        const [{ page_size: found } = {}] = query(target, 'PRAGMA page_size');
        assert.equal(found, pageSize);
        assert.equal((await rig.recorded(backup)).journalMode, mode);
        assert.deepEqual(query(target, 'PRAGMA journal_mode'), [{ journal_mode: mode }]);
        const sum = 'SELECT count(*) AS rows, sum(id) AS sum, max(content) AS last FROM filler';
        assert.deepEqual(query(target, sum), query(file, sum));
      });

  test('its bytes come as one stream that is a database file', async () => {
    const file = rig.place('stream.db');
    makeDatabase(file, FILLER);
    const backup = await rig.backUp(file);
    const { bytes, mediaType } = await rig.managed.application.backups.content(backup.id, new AbortController().signal);
    assert.equal(mediaType, 'application/vnd.sqlite3');
    const copy = rig.place('stream-copy.db');
    await writeFile(copy, await gather(bytes));
    assert.deepEqual(query(copy, 'SELECT count(*) AS rows FROM filler'), [{ rows: 20_000 }]);
    assert.equal((await rig.managed.application.backups.validate(backup.id)).valid, true);
  });

  test('a second backup stores pages that changed and little else', async () => {
    const file = rig.place('few-changes.db');
    makeDatabase(file, FILLER);
    const first = await rig.backUp(file);
    makeDatabase(file, "UPDATE filler SET content = 'changed' || substr(content, 8) WHERE id % 2000 = 7");
    const second = await rig.backUp(file);
    assert.ok(first.statistics.newBytes >= first.size, 'all of the first one is new');
    // Ten rows in ten pages, the first page, and the list of segments.
    assert.ok(second.statistics.newBytes < 12 * 4096 + 120_000, `${second.statistics.newBytes} new bytes`);
    const target = rig.place('few-changes-restored.db');
    await rig.restore(second, { target });
    const changed = "SELECT count(*) AS rows FROM filler WHERE content LIKE 'changed%'";
    assert.deepEqual(query(target, changed), [{ rows: 10 }]);
  });

  test('nothing is left beside a database in WAL mode that nobody had open, and its bytes stay', async () => {
    const file = rig.place('quiet.db');
    makeDatabase(file, `PRAGMA journal_mode=wal; ${FILLER}`);
    const before = await readFile(file);
    await rig.backUp(file);
    await assert.rejects(stat(`${file}-wal`), { code: 'ENOENT' });
    await assert.rejects(stat(`${file}-shm`), { code: 'ENOENT' });
    assert.ok(before.equals(await readFile(file)));
  });

  test('what was committed to the log of a process that was killed is in the backup', async () => {
    const file = rig.place('killed.db');
    const rows = await NumberedRows.start(file, 'wal');
    await rows.reach(50);
    await rows.stop();
    const least = rows.committed;
    const backup = await rig.backUp(file);
    const target = rig.place('killed-restored.db');
    await rig.restore(backup, { target });
    const [{ last } = {}] = query(target, 'SELECT max(n) AS last FROM numbered');
    assert.ok(Number(last) >= least);
  });

  test('a database that needs functions of its application is backed up, and a warning says what was not checked', async () => {
    const file = rig.place('extended.db');
    const owner = new DatabaseSync(file);
    owner.function('slug', { deterministic: true }, (text) => String(text).toLowerCase());
    owner.exec(
      "CREATE TABLE shops (name TEXT); CREATE INDEX by_slug ON shops (slug(name)); INSERT INTO shops VALUES ('A')",
    );
    owner.close();
    const backup = await rig.backUp(file);
    const target = rig.place('extended-restored.db');
    const { warnings } = await rig.restore(backup, { target });
    assert.match(warnings[0] ?? '', /integrity_check: unknown function: slug/);
    assert.deepEqual(query(target, 'SELECT name FROM shops NOT INDEXED'), [{ name: 'A' }]);
  });

  test('an empty file is an empty database, and the backup warns of it', async () => {
    const file = rig.place('empty.db');
    await writeFile(file, '');
    const backup = await rig.backUp(file);
    assert.equal(backup.size, 0);
    assert.match(backup.warnings[0] ?? '', /empty database/);
    const target = rig.place('empty-restored.db');
    await rig.restore(backup, { target });
    assert.equal((await stat(target)).size, 0);
  });
});
