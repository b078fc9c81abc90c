import assert from 'node:assert/strict';
import { readdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceTarget } from '../src/services/sqlite/target-replacement.ts';
import { runElsewhere, SqliteLogRig } from './sqlite-log-rig.ts';
import { crashInTransaction, FILLER, makeDatabase, query } from './sqlite-rig.ts';

const ALL =
  'SELECT (SELECT count(*) FROM filler) AS fillers, (SELECT sum(length(content)) FROM filler) AS bytes, (SELECT group_concat(what) FROM notes) AS notes';

/** Each act changes a followed database; afterwards each state between two acts is restored and compared with what was there. */
const ACTS: Readonly<Record<string, readonly string[]>> = {
  'a transaction': ["INSERT INTO notes VALUES ('one')"],
  'a transaction and a checkpoint that empties the log': [
    "INSERT INTO notes VALUES ('two')",
    'PRAGMA wal_checkpoint(TRUNCATE)',
  ],
  'a transaction after the checkpoint': ["INSERT INTO notes VALUES ('three')"],
  'a large transaction': ["UPDATE filler SET content = 'new ' || content"],
  'rows that are deleted': ['DELETE FROM filler WHERE id > 500'],
  'VACUUM, which makes the database smaller': ['VACUUM'],
  'a database that grows again': ['INSERT INTO filler SELECT id + 1000, content FROM filler'],
  'a database that shrinks and grows within one look': [
    'DELETE FROM filler WHERE id > 100',
    'VACUUM',
    'INSERT INTO filler SELECT id + 2000, content FROM filler',
  ],
  'a checkpoint without a change, and then one': [
    'PRAGMA wal_checkpoint(RESTART)',
    'PRAGMA wal_checkpoint(TRUNCATE)',
    "INSERT INTO notes VALUES ('four')",
  ],
};

describe('the log of a SQLite database', () => {
  let rig: SqliteLogRig;

  beforeEach(async () => {
    rig = await SqliteLogRig.create();
  });
  afterEach(() => rig.remove());

  function make(name: string, mode: string): string {
    const file = rig.place(name);
    makeDatabase(file, `PRAGMA journal_mode=${mode}; ${FILLER} CREATE TABLE notes (what TEXT);`);
    return file;
  }

  /** Waits until the log has what is there now. @returns a moment that leads to it, and what is there */
  async function mark(database: DatabaseSync) {
    const content = database.prepare(ALL).get();
    await rig.reached(Date.now() + 2);
    return { moment: new Date(), content: { ...content } };
  }

  async function requireRestored({ moment, content }: Awaited<ReturnType<typeof mark>>, label: string) {
    const target = rig.place(`restored-${moment.getTime()}.db`);
    const { result } = await rig.restoreTo(moment, { target });
    assert.deepEqual(query(target, ALL), [content], label);
    return result;
  }

  for (const mode of ['wal', 'delete', 'persist'])
    test(`leads to each state that was seen, whatever changed the database (${mode})`, async () => {
      const file = make('changing.db', mode);
      await rig.follow(file);
      await rig.backUp();
      const database = new DatabaseSync(file, { timeout: 60_000 });
      const marks = new Map([['the beginning', await mark(database)]]);
      try {
        for (const [name, statements] of Object.entries(ACTS)) {
          const [row] = await runElsewhere(file, ...statements);
          assert.notEqual(row?.busy, 1, 'a checkpoint found no moment without readers');
          marks.set(name, await mark(database));
        }
      } finally {
        database.close();
      }
      for (const [name, seen] of marks) await requireRestored(seen, name);
      assert.deepEqual(rig.warnings(), []);
      const kinds = (await rig.pieces()).map(({ facts }) => facts.kind);
      assert.deepEqual([kinds[0], new Set(kinds.slice(1))], ['whole', new Set(['pages'])]);
    });

  test('has no piece as long as nothing changes, and holds little more than the pages that changed', async () => {
    const file = make('idle.db', 'wal');
    await rig.follow(file);
    await sleep(1000);
    assert.equal((await rig.pieces()).length, 1);
    const { size } = await stat(file);
    makeDatabase(file, "INSERT INTO notes VALUES ('one')");
    await rig.reached(Date.now());
    const [whole, changes] = await rig.pieces();
    assert.equal(whole?.size, size);
    assert.ok(changes!.size <= 3 * 4100 + 24, `${changes?.size} bytes for a row`);
  });

  test('stores nothing of the whole database again that a backup holds', async () => {
    const file = make('backed-up.db', 'wal');
    await rig.managed.application.resources.put({ id: 'shop', service: 'sqlite', configuration: { path: file } });
    await rig.backUp();
    await rig.follow(file);
    const [piece] = await rig.managed.catalogue.backups.allOf('shop~log');
    assert.ok(piece!.statistics.newBytes < 200_000, `${piece?.statistics.newBytes} new bytes`);
  });

  test('leaves nothing beside a database that nobody has open, and does not change it', async () => {
    const file = make('alone.db', 'wal');
    const before = await readFile(file);
    await rig.follow(file);
    await rig.unfollow();
    assert.deepEqual(await readdir(rig.folder), ['alone.db']);
    assert.deepEqual(await readdir(rig.temporary), []);
    assert.ok((await readFile(file)).equals(before));
  });

  test('goes on when applications come and go, of whom each is the last to close the database', async () => {
    const file = make('visited.db', 'wal');
    await rig.follow(file);
    await rig.backUp();
    const marks = [];
    for (let visit = 0; visit < 5; visit++) {
      const database = new DatabaseSync(file, { timeout: 60_000 });
      database.exec(`INSERT INTO notes VALUES ('visit ${visit}')`);
      marks.push(await mark(database));
      database.close();
    }
    for (const seen of marks) await requireRestored(seen, 'a visit');
    assert.deepEqual(rig.warnings(), []);
  });

  test('notices that another file took the place of the database', async () => {
    const file = make('replaced.db', 'wal');
    const other = make('other.db', 'delete');
    makeDatabase(other, "INSERT INTO notes VALUES ('another')");
    await rig.follow(file);
    await rig.backUp();
    const database = new DatabaseSync(file);
    const before = await mark(database);
    database.close();
    await rename(other, file);
    const replaced = new DatabaseSync(file);
    const after = await mark(replaced);
    replaced.exec("INSERT INTO notes VALUES ('and more')");
    const later = await mark(replaced);
    replaced.close();
    for (const seen of [before, after, later]) await requireRestored(seen, seen.moment.toISOString());
    assert.notDeepEqual(before.content, after.content);
  });

  for (const mode of ['wal', 'delete'])
    test(`notices that a link leads to another database (${mode})`, async () => {
      const [first, second] = [make('first.db', mode), make('second.db', mode)];
      makeDatabase(second, "INSERT INTO notes VALUES ('second')");
      const link = rig.place('current.db');
      await symlink(first, link);
      await rig.follow(link);
      await rig.backUp();
      await symlink(second, `${link}.new`);
      await rename(`${link}.new`, link);
      const database = new DatabaseSync(link, { timeout: 60_000 });
      const switched = await mark(database);
      database.exec("INSERT INTO notes VALUES ('and more')");
      const later = await mark(database);
      database.close();
      assert.equal(later.content.notes, 'second,and more');
      for (const seen of [switched, later]) await requireRestored(seen, seen.moment.toISOString());
    });

  test('has nothing of a transaction whose writer died, and goes on as soon as it is rolled back', async () => {
    const file = make('crashed.db', 'delete');
    await rig.follow(file);
    await rig.backUp();
    await crashInTransaction(file);
    for (let round = 0; rig.warnings().length === 0; round++) {
      assert.ok(round < 600, 'the journal that waits was not told of');
      await sleep(50);
    }
    assert.match(rig.warnings()[0]!, /left in the midst of a change/);
    const database = new DatabaseSync(file, { timeout: 60_000 });
    const rolledBack = await mark(database);
    database.exec("INSERT INTO notes VALUES ('after')");
    const after = await mark(database);
    database.close();
    await requireRestored(rolledBack, 'rolled back');
    await requireRestored(after, 'after');
  });

  test('follows a database from a rollback journal into WAL mode', async () => {
    const file = make('changing-mode.db', 'delete');
    await rig.follow(file);
    await rig.backUp();
    const database = new DatabaseSync(file, { timeout: 60_000 });
    database.exec('PRAGMA journal_mode=wal');
    database.exec("INSERT INTO notes VALUES ('in the log')");
    const seen = await mark(database);
    database.close();
    await requireRestored(seen, 'in WAL mode');
  });

  test('keeps the write-ahead log short although it always reads from it', async () => {
    const file = make('long.db', 'wal');
    await rig.follow(file);
    const database = new DatabaseSync(file, { timeout: 60_000 });
    try {
      for (let round = 0; round < 10; round++) {
        database.exec("UPDATE filler SET content = 'x' || content");
        await rig.reached(Date.now());
      }
      const { size } = await stat(`${file}-wal`);
      const { size: databaseSize } = await stat(file);
      assert.ok(size < 3 * databaseSize, `the log has ${size} bytes, and all was written ten times`);
    } finally {
      database.close();
    }
    assert.deepEqual(rig.warnings(), []);
  });

  test('makes room for a restore in place, and follows what was restored', async () => {
    const file = make('in-place.db', 'wal');
    await rig.follow(file);
    await rig.backUp();
    makeDatabase(file, "INSERT INTO notes VALUES ('good')");
    await rig.reached(Date.now());
    const good = new Date();
    await sleep(10);
    makeDatabase(file, 'DELETE FROM notes');
    await rig.reached(Date.now());
    if (process.platform === 'linux')
      assert.throws(() => replaceTarget({ kind: 'replace', restored: 'none', target: file, overwrite: true }), {
        code: 'restore-target-in-use',
        message: /open by Holdfast itself \(process \d+\).*Restore by the API/,
      });
    const inPlace = { inPlace: true, conflict: 'overwrite' };
    const { result } = await rig.restoreTo(good, { ...inPlace, dryRun: true });
    assert.equal(Number(result?.logPieces) > 0, true);
    await rig.restoreTo(good, inPlace);
    const database = new DatabaseSync(file, { timeout: 60_000 });
    assert.equal(database.prepare(ALL).get()?.notes, 'good');
    database.exec("INSERT INTO notes VALUES ('better')");
    const seen = await mark(database);
    database.close();
    await requireRestored(seen, 'after a restore in place');
  });

  test('is put together from the newest backup where older pieces are gone', async () => {
    const file = make('from-backup.db', 'wal');
    await rig.follow(file);
    const database = new DatabaseSync(file, { timeout: 60_000 });
    database.exec("INSERT INTO notes VALUES ('before')");
    await mark(database);
    const backup = await rig.backUp();
    await sleep(20);
    database.exec("INSERT INTO notes VALUES ('between')");
    const between = await mark(database);
    database.exec('CREATE TABLE more (x); DELETE FROM filler WHERE id > 400');
    const seen = await mark(database);
    database.close();
    const early = (await rig.pieces()).filter(({ completedAt }) => completedAt < backup.createdAt);
    assert.equal(early.length, 2);
    await rig.managed.application.logs.of('shop').remove(early);
    for (const each of [between, seen]) {
      const result = await requireRestored(each, 'from the backup');
      assert.equal(result?.begunWith, backup.id);
    }
    const target = rig.place('by-option.db');
    const { restores, operations } = rig.managed.application;
    const options = { target, at: between.moment.toISOString() };
    const { operation } = await restores.restore({ backupId: backup.id, createdBy: 'test', options });
    assert.equal((await operations.wait(operation.id, 60_000)).status, 'completed');
    assert.deepEqual(query(target, ALL), [between.content]);
  });
});
