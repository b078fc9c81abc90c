import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import { databasePiece } from '../src/services/sqlite/log-facts.ts';
import { LogMerging } from '../src/services/sqlite/log-merging.ts';
import { flip } from './flipped-bytes.ts';
import { temporaryFolder } from './managed-application.ts';
import { Service } from './service-process.ts';
import { SqliteLogRig, TimedRows } from './sqlite-log-rig.ts';
import { FILLER, makeDatabase, query } from './sqlite-rig.ts';

const NOTES = 'SELECT group_concat(what) AS notes, (SELECT count(*) FROM filler) AS fillers FROM notes';
const HOUR = 3_600_000;

describe('when something goes wrong, the log of a SQLite database', () => {
  let rig: SqliteLogRig;
  let file: string;

  beforeEach(async () => {
    rig = await SqliteLogRig.create();
    file = rig.place('shop.db');
    makeDatabase(file, `PRAGMA journal_mode=wal; ${FILLER} CREATE TABLE notes (what TEXT);`);
  });
  afterEach(() => rig.remove());

  /** Makes a note, and waits until the log has it. @returns a moment that leads to it */
  async function note(what: string): Promise<Date> {
    makeDatabase(file, `INSERT INTO notes VALUES ('${what}')`);
    await rig.reached(Date.now() + 2);
    const moment = new Date();
    await sleep(5);
    return moment;
  }

  async function notesAt(moment: Date): Promise<unknown> {
    const target = rig.place(`restored-${moment.getTime()}-${Math.random()}.db`);
    await rig.restoreTo(moment, { target });
    const [found] = query(target, NOTES);
    assert.equal(found?.fillers, 20_000);
    return found?.notes;
  }

  test('goes on without a gap after a pause of the service in which nothing changed', async () => {
    await rig.follow(file);
    await rig.backUp();
    const one = await note('one');
    await rig.restartService();
    await rig.reached(Date.now());
    const two = await note('two');
    assert.deepEqual([await notesAt(one), await notesAt(two)], ['one', 'one,two']);
    assert.equal((await rig.pieces()).filter(({ facts }) => facts.kind === 'whole').length, 1);
    assert.deepEqual(rig.warnings(), []);
  });

  test('tells of a gap where the database changed in such a pause, and restores to both of its sides', async () => {
    await rig.follow(file);
    await rig.backUp();
    const one = await note('one');
    let within = new Date();
    await rig.restartService(() => {
      makeDatabase(file, "INSERT INTO notes VALUES ('two')");
      within = new Date();
    });
    await rig.reached(Date.now());
    assert.match(rig.warnings()[0]!, /there is a gap/);
    const three = await note('three');
    assert.deepEqual([await notesAt(one), await notesAt(three)], ['one', 'one,two,three']);
    await assert.rejects(notesAt(within), {
      code: 'moment-not-in-log',
      message: /it goes from 20.* to .*, and from 20/,
    });
  });

  test('says how far it goes to whoever asks for a moment that is not in it', async () => {
    await rig.backUpUnfollowed(file);
    await sleep(20);
    const before = new Date();
    await sleep(20);
    await rig.follow(file);
    await note('one');
    await assert.rejects(notesAt(before), { code: 'moment-not-in-log' });
    await assert.rejects(notesAt(new Date(Date.now() + HOUR)), { code: 'moment-not-in-log' });
    await rig.unfollow();
    await sleep(20);
    await assert.rejects(notesAt(new Date()), { code: 'moment-not-in-log', message: /Restore to a moment in there/ });
  });

  test('waits for a database that is gone, and follows it as soon as it is there again', async () => {
    await rig.follow(file);
    await rig.backUp();
    const one = await note('one');
    const away = rig.place('away.db');
    await rename(file, away);
    for (let round = 0; rig.warnings().length === 0; round++) {
      assert.ok(round < 600, 'nobody was told');
      await sleep(50);
    }
    assert.match(rig.warnings()[0]!, /There is no file/);
    await rename(away, file);
    const two = await note('two');
    assert.deepEqual([await notesAt(one), await notesAt(two)], ['one', 'one,two']);
  });

  test('goes on without a gap when the process that looks at the database is killed', async () => {
    await rig.follow(file);
    await rig.backUp();
    const one = await note('one');
    const [child] = childrenThatRun('database-worker.ts');
    process.kill(child!, 'SIGKILL');
    makeDatabase(file, "INSERT INTO notes VALUES ('two')");
    await rig.reached(Date.now() + 2);
    const two = new Date();
    assert.deepEqual([await notesAt(one), await notesAt(two)], ['one', 'one,two']);
    assert.deepEqual(rig.warnings(), []);
    assert.equal(rig.managed.notifications.filter(({ type }) => type === 'log-failed').length, 1);
    const kinds = (await rig.pieces()).map(({ facts }) => facts.kind);
    assert.deepEqual([kinds[0], kinds.at(-1)], ['whole', 'whole']);
    await sleep(20);
    const three = await note('three');
    assert.equal(await notesAt(three), 'one,two,three');
  });

  test('is no longer followed soon after that is said, although the process that looks does not come to an end', async () => {
    await rig.follow(file);
    const [child] = childrenThatRun('database-worker.ts');
    process.kill(child!, 'SIGSTOP');
    // A look is under way then, which is like one at a database that takes minutes to read.
    await sleep(1000);
    await rig.unfollow();
    assert.deepEqual(childrenThatRun('database-worker.ts'), []);
    assert.deepEqual(await readdir(rig.temporary), []);
    await rig.follow(file);
    assert.equal((await rig.pieces()).length, 1);
    assert.deepEqual(rig.warnings(), []);
  });

  test('does not stand in the way of an application that writes, with a rollback journal and between two looks', async () => {
    const other = rig.place('journal.db');
    makeDatabase(other, 'CREATE TABLE notes (what TEXT); CREATE TABLE filler (x);');
    await rig.follow(other);
    const database = new DatabaseSync(other, { timeout: 10_000 });
    try {
      for (let round = 0; round < 20; round++) {
        database.exec("BEGIN EXCLUSIVE; INSERT INTO notes VALUES ('x'); COMMIT");
        await sleep(50);
      }
      await rig.reached(Date.now());
    } finally {
      database.close();
    }
    assert.deepEqual(await readdir(rig.folder), ['journal.db', 'shop.db']);
  });

  test('names the piece that is damaged, and leads to each moment before it', async () => {
    await rig.follow(file);
    await rig.backUp();
    const one = await note('one');
    const two = await note('two');
    const three = await note('three');
    const pieces = await rig.pieces();
    await flip(rig.repositoryFolder, `snapshots/${pieces[2]!.id}`, -40);
    assert.equal(await notesAt(one), 'one');
    for (const moment of [two, three])
      await assert.rejects(notesAt(moment), { code: 'log-piece-damaged', message: new RegExp(pieces[2]!.id) });
    assert.deepEqual(
      (await readdir(rig.folder)).filter((name) => name.startsWith('.holdfast')),
      [],
    );
  });

  test('puts nothing in place that is not the state which was seen', async () => {
    await rig.follow(file);
    await rig.backUp();
    await note('one');
    await rig.unfollow();
    const log = rig.managed.application.logs.of('shop');
    const last = (await log.pieces()).at(-1)!;
    const state = String(last.facts.state).replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    const at = new Date().toISOString();
    const facts = { ...last.facts, state, since: last.facts.at!, unchangedUntil: last.facts.at!, at };
    await log.append({ from: last.to, to: `${Number(last.to) + 1}`, facts, content: [await log.read(last)] });
    await assert.rejects(notesAt(new Date(at)), { code: 'restored-state-differs' });
    assert.deepEqual(await readdir(rig.folder), ['shop.db']);
    assert.equal(await notesAt(new Date(String(last.facts.at))), 'one');
  });

  test('keeps the newest state of each minute when older pieces are merged, even if that was interrupted', async () => {
    await rig.follow(file);
    await rig.backUp();
    const moments = [];
    for (const what of ['a', 'b', 'c', 'd', 'e']) moments.push(await note(what));
    makeDatabase(file, 'DELETE FROM filler WHERE id > 100; VACUUM');
    makeDatabase(
      file,
      FILLER.replace('CREATE TABLE filler (id INTEGER PRIMARY KEY, content TEXT);', 'DELETE FROM filler;'),
    );
    await note('f');
    await rig.unfollow();
    const log = rig.managed.application.logs.of('shop');
    const before = await log.pieces();
    const last = new Date(String(before.at(-1)!.facts.at));
    const interrupted: ResourceLog = {
      pieces: () => log.pieces(),
      open: (piece) => log.open(piece),
      read: (piece) => log.read(piece),
      append: (piece) => log.append(piece),
      remove: async ([first]) => {
        await log.remove([first!]);
        throw new Error('the service was killed');
      },
    };
    const said: string[] = [];
    const merge = async (target: ResourceLog) => {
      const merging = new LogMerging(target, { keepSeconds: 60, keepMinutes: 1 }, new AbortController().signal);
      merging.begin((await log.pieces()).map(databasePiece));
      merging.run(new Date(Date.now() + 3 * HOUR), (message) => said.push(message));
      await merging.end();
    };
    await merge(interrupted);
    assert.match(said[0]!, /the service was killed/);
    assert.deepEqual([await notesAt(last), await notesAt(moments[2]!)], ['a,b,c,d,e,f', 'a,b,c']);
    await merge(log);
    await merge(log);
    const after = (await log.pieces()).map(databasePiece);
    // All of it is in one hour, unless an hour just ended.
    assert.ok(after.length <= 3 && after.length < before.length, `${after.length} pieces are left`);
    assert.deepEqual([after[0]?.kind, after.at(-1)?.to], ['whole', before.length]);
    assert.equal(await notesAt(last), 'a,b,c,d,e,f');
    const coarse = String(await notesAt(moments[2]!).catch(({ code }: { code: string }) => code));
    assert.ok(['null', 'a,b,c'].includes(coarse), coarse);
  });

  test('is whole after the writer was killed again and again in the midst of its transactions', async () => {
    const busy = rig.place('busy.db');
    let rows = await rig.startRows(busy, 'wal');
    await rig.follow(busy);
    await rig.backUp();
    const seen: { moment: Date; last: number }[] = [];
    for (let round = 0; round < 4; round++) {
      await sleep(500);
      const commits = await rows.stop();
      await rig.reached(Date.now() + 2);
      seen.push({ moment: new Date(), last: commits.at(-1)?.n ?? 0 });
      rows = await TimedRows.goOn(busy);
    }
    await rows.stop();
    for (const { moment, last } of seen) {
      const target = rig.place(`killed-${last}.db`);
      await rig.restoreTo(moment, { target });
      const [found] = query(
        target,
        'SELECT count(*) AS rows, max(n) AS last, (SELECT count(*) FROM pairs) AS pairs FROM numbered',
      );
      // Its last word may have been lost with it.
      assert.ok(Number(found?.last) >= last && Number(found?.last) <= last + 1);
      assert.deepEqual([found?.rows, found?.pairs], [found?.last, found?.last]);
    }
    assert.deepEqual(rig.warnings(), []);
  });
});

/** Ids of this process's children that run a module. */
function childrenThatRun(module: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [, parent] = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(module);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    })
    .map(Number);
}

describe('a service that follows a SQLite database', () => {
  test('leaves nothing behind when it is killed, and goes on where it was', async () => {
    const place = await temporaryFolder();
    const databases = path.join(place.folder, 'databases');
    const temporary = path.join(place.folder, 'temporary');
    const file = path.join(databases, 'shop.db');
    await mkdir(databases);
    await mkdir(temporary);
    makeDatabase(file, `PRAGMA journal_mode=wal; ${FILLER} CREATE TABLE notes (what TEXT);`);
    const log = { enabled: true, intervalSeconds: 0.2 };
    const configuration = { path: file, temporaryFolder: temporary, log };
    let service = await Service.start(path.join(place.folder, 'data'));
    const followed = async (state: number) => {
      for (let round = 0; ; round++) {
        const { to, capture } = (await service.call('GET', '/resources/shop/log')) as {
          to?: string;
          capture?: { progress?: unknown };
        };
        if (to === `${state}` && capture?.progress !== undefined) return;
        assert.ok(round < 1200, `it did not reach the state ${state}, but ${to}`);
        await sleep(50);
      }
    };
    try {
      await service.call('PUT', '/resources/shop', JSON.stringify({ service: 'sqlite', configuration }));
      await followed(1);
      makeDatabase(file, "INSERT INTO notes VALUES ('one')");
      await followed(2);
      await service.end('SIGKILL');
      for (let round = 0; (await readdir(databases)).length > 1 || (await readdir(temporary)).length > 0; round++) {
        assert.ok(round < 600, 'something was left behind');
        await sleep(50);
      }
      const database = new DatabaseSync(file);
      assert.equal(database.prepare('PRAGMA journal_mode=delete').get()?.journal_mode, 'delete');
      database.exec('PRAGMA journal_mode=wal');
      database.close();
      service = await Service.start(path.join(place.folder, 'data'));
      await followed(3);
      assert.ok((await stat(file)).size > 0);
    } finally {
      await service.end('SIGTERM');
      await place.remove();
    }
  });
});
