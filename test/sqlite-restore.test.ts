import assert from 'node:assert/strict';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { flip } from './flipped-bytes.ts';
import { crashInTransaction, FILLER, makeDatabase, NumberedRows, query, SqliteRig } from './sqlite-rig.ts';

const ROWS = 'SELECT count(*) AS rows, sum(id) AS sum FROM filler';
const ALL_ROWS = [{ rows: 20_000, sum: 200_010_000 }];

describe('SQLite databases that are restored', () => {
  let rig: SqliteRig;
  let file: string;
  let backup: Backup;

  before(async () => {
    rig = await SqliteRig.create();
    file = rig.place('source.db');
    makeDatabase(file, FILLER);
    backup = await rig.backUp(file);
  });
  after(() => rig.remove());

  test('a restore needs a target and leaves what exists alone unless told to overwrite it', async () => {
    const target = rig.place('taken.db');
    makeDatabase(target, 'CREATE TABLE mine (x)');
    await assert.rejects(rig.restore(backup, {}), { code: 'restore-target-missing' });
    await assert.rejects(rig.restore(backup, { target, inPlace: true }), { code: 'restore-target-missing' });
    await assert.rejects(rig.restore(backup, { target: 'relative.db' }), {
      code: 'options-invalid',
      message: /target/,
    });
    await assert.rejects(rig.restore(backup, { target }), { code: 'file-exists' });
    await assert.rejects(rig.restore(backup, { inPlace: true }), { code: 'file-exists' });
    await assert.rejects(rig.restore(backup, { target: rig.folder, conflict: 'overwrite' }), {
      code: 'target-not-a-file',
    });
    await assert.rejects(rig.restore(backup, { target: rig.place('no/such/folder.db') }), {
      code: 'target-folder-missing',
    });
    assert.deepEqual(query(target, 'SELECT name FROM sqlite_schema'), [{ name: 'mine' }]);
    await rig.restore(backup, { target, conflict: 'overwrite' });
    assert.deepEqual(query(target, ROWS), ALL_ROWS);
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('a dry run tells what would happen and changes nothing', async () => {
    const target = rig.place('planned.db');
    const { result } = await rig.restore(backup, { target, dryRun: true });
    assert.deepEqual(result?.actions, [{ action: 'create', path: target }]);
    assert.deepEqual([result?.dryRun, result?.bytes, result?.rows], [true, backup.size, 20_000]);
    await assert.rejects(stat(target), { code: 'ENOENT' });
    const again = await rig.restore(backup, { inPlace: true, conflict: 'overwrite', dryRun: true });
    assert.deepEqual(again.result?.actions, [{ action: 'overwrite', path: file }]);
  });

  test('a database is restored in place, with the owner and mode that it had there', async () => {
    const place = rig.place('in-place.db');
    makeDatabase(place, FILLER);
    const made = await rig.backUp(place);
    makeDatabase(place, 'DELETE FROM filler WHERE id > 5');
    await chmod(place, 0o640);
    await rig.restore(made, { inPlace: true, conflict: 'overwrite' });
    assert.deepEqual(query(place, ROWS), ALL_ROWS);
    assert.equal((await stat(place)).mode & 0o777, 0o640);
    await rm(place);
    await rig.restore(made, { inPlace: true });
    assert.equal((await stat(place)).mode & 0o777, 0o644, 'as it was when it was backed up');
  });

  test('the log of the database that was there is never played into the restored one', async () => {
    const live = rig.place('live.db');
    const target = rig.place('crashed.db');
    const connection = new DatabaseSync(live);
    connection.exec(`PRAGMA journal_mode=wal; ${FILLER} PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM filler;`);
    for (const suffix of ['', '-wal']) await copyFile(live + suffix, target + suffix);
    connection.close();
    assert.ok((await stat(`${target}-wal`)).size > 0);
    const { warnings } = await rig.restore(backup, { target, conflict: 'overwrite' });
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      (await readdir(rig.folder)).filter((name) => name.startsWith('crashed.db')),
      ['crashed.db'],
    );
    assert.deepEqual(query(target, ROWS), ALL_ROWS);
    assert.deepEqual(query(target, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  });

  test('the journal of a change that nobody finished is never rolled back into the restored database', async () => {
    const target = rig.place('unfinished.db');
    makeDatabase(target, FILLER);
    await crashInTransaction(target);
    assert.ok((await stat(`${target}-journal`)).size > 0);
    await rig.restore(backup, { target, conflict: 'overwrite' });
    await assert.rejects(stat(`${target}-journal`), { code: 'ENOENT' });
    assert.deepEqual(query(target, ROWS), ALL_ROWS);
    assert.deepEqual(query(target, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  });

  test('journals of a database that is gone or is none any more are set aside, not used and not thrown away', async () => {
    const live = rig.place('donor.db');
    const connection = new DatabaseSync(live);
    connection.exec(`PRAGMA journal_mode=wal; ${FILLER} PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM filler;`);
    const log = await readFile(`${live}-wal`);
    connection.close();
    for (const [name, content] of [
      ['gone.db', undefined],
      ['no-database.db', 'these were other bytes'],
    ] as const) {
      const target = rig.place(name);
      if (content !== undefined) await writeFile(target, content.repeat(1000));
      await writeFile(`${target}-wal`, log);
      const { warnings, result } = await rig.restore(backup, { target, conflict: 'overwrite' });
      assert.deepEqual(query(target, ROWS), ALL_ROWS);
      const [aside = ''] = (result?.setAside ?? []) as string[];
      assert.ok(aside.startsWith(`${target}-wal.old-`));
      assert.ok(log.equals(await readFile(aside)));
      assert.match(warnings[0] ?? '', /earlier database/);
    }
  });

  for (const mode of ['wal', 'delete'] as const)
    test(`a database that another process writes to is not replaced (${mode})`, async () => {
      const target = rig.place(`in-use-${mode}.db`);
      const rows = await NumberedRows.start(target, mode);
      try {
        const refused = rig.restore(backup, { target, conflict: 'overwrite' });
        await assert.rejects(refused, { code: 'restore-target-in-use', kind: 'locked' });
        const now = rows.committed;
        await rows.reach(now + 5);
      } finally {
        await rows.stop();
      }
      assert.deepEqual(await rig.leftovers(), []);
      await rig.restore(backup, { target, conflict: 'overwrite' });
      assert.deepEqual(query(target, ROWS), ALL_ROWS);
    });

  test('a database that a process has open without a lock is not replaced', {
    skip: process.platform !== 'linux',
  }, async () => {
    const target = rig.place('idle.db');
    makeDatabase(target, 'CREATE TABLE t (x)');
    const idle = new DatabaseSync(target);
    try {
      idle.prepare('SELECT * FROM t').all();
      await assert.rejects(rig.restore(backup, { target, conflict: 'overwrite' }), {
        code: 'restore-target-in-use',
        message: new RegExp(`process ${process.pid}`),
      });
    } finally {
      idle.close();
    }
  });

  test('rows that are missing after a restore are an error that names the table, and nothing is put in place', async () => {
    const { made, writer } = await rig.backUpDirectly({ path: file });
    const tables = made.serviceData.tables as { name: string; rows: number }[];
    const wrong = tables.map((table) => ({ ...table, rows: table.rows + 1 }));
    const other = await rig.commit({ ...made, serviceData: { ...made.serviceData, tables: wrong } }, writer, backup);
    const target = rig.place('short-of-rows.db');
    await assert.rejects(rig.restoreDirectly(other, { target }), { code: 'row-counts-differ', message: /filler/ });
    await assert.rejects(stat(target), { code: 'ENOENT' });
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('a flipped bit in the repository makes the restore fail, and nothing is put in place', async () => {
    const own = await SqliteRig.create();
    try {
      const source = own.place('flipped.db');
      makeDatabase(source, FILLER);
      const made = await own.backUp(source);
      const packs = path.join(own.folder, '..', 'repository', 'packs');
      const names = (await readdir(packs, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      assert.ok(names.length > 0);
      for (const { parentPath, name } of names) {
        const { size } = await stat(path.join(parentPath, name));
        await flip(parentPath, name, Math.floor(size / 2));
      }
      const target = own.place('flipped-restored.db');
      await assert.rejects(own.restore(made, { target }), { kind: 'damaged' });
      await assert.rejects(own.restore(made, { inPlace: true, conflict: 'overwrite' }), { kind: 'damaged' });
      await assert.rejects(stat(target), { code: 'ENOENT' });
      assert.deepEqual(await own.leftovers(), []);
      assert.deepEqual(query(source, ROWS), ALL_ROWS);
    } finally {
      await own.remove();
    }
  });

  test('a restore that is cancelled leaves the old database and no temporary file', async () => {
    const target = rig.place('cancelled.db');
    makeDatabase(target, 'CREATE TABLE mine (x)');
    for (const phase of ['writing', 'checking']) {
      const cancelled = new AbortController();
      const restored = rig.restoreDirectly(
        backup,
        { target, conflict: 'overwrite' },
        {
          signal: cancelled.signal,
          report: (progress) => progress.phase === phase && cancelled.abort(new Error('enough')),
        },
      );
      await assert.rejects(restored);
      assert.deepEqual(query(target, 'SELECT name FROM sqlite_schema'), [{ name: 'mine' }]);
    }
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('a database is restored through a symbolic link to where the link points', async () => {
    await mkdir(rig.place('elsewhere'));
    const real = rig.place('elsewhere/real.db');
    makeDatabase(real, 'CREATE TABLE mine (x)');
    const link = rig.place('link.db');
    await symlink(real, link);
    await rig.restore(backup, { target: link, conflict: 'overwrite' });
    assert.ok((await lstat(link)).isSymbolicLink());
    assert.deepEqual(query(real, ROWS), ALL_ROWS);
  });
});
