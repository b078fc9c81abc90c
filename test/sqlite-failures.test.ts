import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { gather } from './managed-application.ts';
import { crashInTransaction, FILLER, makeDatabase, query, SqliteRig } from './sqlite-rig.ts';

describe('SQLite databases that cannot be backed up', () => {
  let rig: SqliteRig;

  before(async () => {
    rig = await SqliteRig.create();
  });
  after(async () => {
    assert.deepEqual(await rig.leftovers(), []);
    await rig.remove();
  });

  /** The error, and that it left neither a backup nor a private copy. */
  async function refused(
    path: string,
    error: { code: string; kind?: string; message?: RegExp },
    configuration: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const before = (await rig.managed.repository.listSnapshots()).length;
    await assert.rejects(rig.backUp(path, configuration), error);
    assert.deepEqual(await rig.leftovers(), []);
    assert.equal((await rig.managed.repository.listSnapshots()).length, before);
  }

  test('what is no database is refused, and nothing is made beside it', async () => {
    await refused(rig.place('missing.db'), { code: 'database-missing', kind: 'not-found' });
    const folder = rig.place('folder.db');
    await mkdir(folder);
    await refused(folder, { code: 'not-a-file', kind: 'invalid' });
    const text = rig.place('text.db');
    await writeFile(text, 'It was a dark and stormy night. '.repeat(1000));
    await refused(text, { code: 'not-a-database', kind: 'invalid', message: /encrypted/ });
    const beside = (await readdir(rig.folder)).filter((name) => name.startsWith('text.db'));
    assert.deepEqual(beside, ['text.db']);
  });

  test('a database that is damaged is not taken for a good backup, unless the checks are turned off', async () => {
    const damaged = rig.place('damaged.db');
    makeDatabase(damaged, FILLER);
    const bytes = await readFile(damaged);
    bytes.fill(0xa5, 4096 * 100, 4096 * 101);
    await writeFile(damaged, bytes);
    await refused(damaged, { code: 'database-check-failed', kind: 'damaged' });
    await refused(damaged, { code: 'database-check-failed', kind: 'damaged' }, { checks: 'full' });
    const kept = await rig.backUp(damaged, { checks: 'none' });
    const target = rig.place('damaged-restored.db');
    await assert.rejects(rig.restore(kept, { target }), { code: 'restored-database-damaged', kind: 'damaged' });
    const { bytes: content } = await rig.managed.application.backups.content(kept.id, new AbortController().signal);
    assert.equal((await gather(content)).length, bytes.length);
    const cut = rig.place('cut.db');
    makeDatabase(cut, FILLER);
    await truncate(cut, 4096 * 50);
    await refused(cut, { code: 'database-damaged', kind: 'damaged' });
  });

  for (const mode of ['delete', 'wal'])
    test(`a database that is locked exclusively is an error after the time-out (${mode})`, async () => {
      const file = rig.place(`locked-${mode}.db`);
      const owner = new DatabaseSync(file);
      try {
        owner.exec(`PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=${mode}; ${FILLER} BEGIN EXCLUSIVE`);
        await refused(file, { code: 'database-locked', kind: 'locked' }, { busyTimeoutMilliseconds: 300 });
      } finally {
        owner.close();
      }
      await rig.backUp(file);
    });

  test('a journal that waits to be rolled back is not touched, and the error says what to do', async () => {
    const file = rig.place('crashed.db');
    makeDatabase(file, FILLER);
    await crashInTransaction(file);
    const before = await readFile(`${file}-journal`);
    assert.ok(before.length > 0);
    await refused(file, { code: 'database-needs-recovery', kind: 'conflict', message: /Start its application/ });
    assert.ok(before.equals(await readFile(`${file}-journal`)));
    assert.deepEqual(query(file, "SELECT count(*) AS half FROM filler WHERE content LIKE 'half%'"), [{ half: 0 }]);
    await rig.backUp(file);
  });

  test('a temporary folder that is missing or too full is named before anything is copied', async (context) => {
    const file = rig.place('large.db');
    makeDatabase(file, FILLER);
    const missing = { temporaryFolder: rig.place('no-such-folder') };
    await refused(file, { code: 'temporary-folder-unusable', kind: 'unavailable' }, missing);
    const small = rig.place('small-disk');
    await mkdir(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      context.diagnostic('no right to mount a small file system: a full one was not tried');
      return;
    }
    try {
      await refused(
        file,
        { code: 'temporary-space-short', kind: 'unavailable', message: /small-disk/ },
        {
          temporaryFolder: small,
        },
      );
      assert.deepEqual(await readdir(small), []);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  for (const phase of ['copying', 'checking', 'counting rows', 'storing'])
    test(`a backup that is cancelled while ${phase} leaves no copy, no process and the database free`, async () => {
      const file = rig.place(`cancelled-${phase.replace(' ', '-')}.db`);
      makeDatabase(file, FILLER);
      const cancelled = new AbortController();
      let seen = 0;
      await assert.rejects(
        rig.backUpDirectly(
          { path: file, pagesPerStep: 1 },
          {
            signal: cancelled.signal,
            report: (progress) => {
              if (progress.phase !== phase) return;
              seen++;
              cancelled.abort(new Error('that is enough'));
            },
          },
        ),
        /that is enough/,
      );
      assert.ok(seen > 0);
      assert.deepEqual(await rig.leftovers(), []);
      makeDatabase(file, 'PRAGMA busy_timeout=0; BEGIN EXCLUSIVE; DROP TABLE filler; COMMIT');
      await assert.rejects(stat(`${file}-journal`), { code: 'ENOENT' });
    });
});
