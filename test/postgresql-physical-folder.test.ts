import assert from 'node:assert/strict';
import { cp, mkdir, open, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './eventually.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { ownedSubfolder } from './postgresql-cluster-server.ts';
import { OLD_SERVERS, SKIP_REASON_OLD } from './postgresql-old.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed, failed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

/** Sessions that have told the server to begin a backup; those that ask so themselves are none. */
const BEGUN = `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_backup_start(%'`;

const ROWS = `SELECT (SELECT sum(hashtext(o::text)) FROM orders o) || ' ' || (SELECT sum(hashtext(f::text)) FROM far f)`;

function readBesideTheServer(programs: string, major: number): () => void {
  return () => {
    let rig: PhysicalRig;
    let byFolder: Readonly<Record<string, unknown>>;

    before(async () => {
      rig = await PhysicalRig.create(programs, major >= 17 ? { settings: ['summarize_wal = on'] } : {});
      byFolder = { transfer: 'folder', dataFolder: rig.server.data };
      const location = await ownedSubfolder(rig.server.folder, 'far away');
      await rig.server.sql(`CREATE TABLESPACE far LOCATION '${location}'`);
      await rig.server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 200000) g;
        ALTER TABLE orders ADD PRIMARY KEY (id);
        CREATE TABLE far (id int PRIMARY KEY, text text) TABLESPACE far;
        INSERT INTO far SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
        CREATE UNLOGGED TABLE unlogged AS SELECT g AS id FROM generate_series(1, 100000) g`);
    });
    after(() => rig.remove());

    const fails = async (configuration: Readonly<Record<string, unknown>>, code: string, message: RegExp) => {
      const operation = await rig.ended(await rig.start(await rig.resource({ ...byFolder, ...configuration })));
      failed(operation, code, message);
      assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
    };

    test('restores to a folder that starts with every row, with its tablespaces elsewhere', async () => {
      const expected = await rig.server.value(ROWS);
      const backup = await rig.backUp(await rig.resource(byFolder));
      assert.deepEqual([backup.type, backup.warnings], ['full', []]);
      assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
      await rig.server.sql('DELETE FROM orders WHERE id % 2 = 0');
      const target = rig.place('restored');
      const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
      completed(await rig.restore(backup, { target, tablespaces: { [oid]: rig.place('restored far') } }));
      if (major === 15) await rig.server.program('pg_verifybackup', target);
      const restored = await (await rig.startRestored(target)).promoted();
      assert.equal(await restored.value(ROWS), expected);
      // Their rows do not outlive a crash, and so are in no backup.
      assert.equal(await restored.value('SELECT count(*) FROM unlogged'), '0');
      await restored.stop();
    });

    test('holds the very files that the server itself sends, and stores none of their pages again', async () => {
      const resourceId = await rig.resource();
      const configuration = { connection: rig.server.connection(), ...byFolder };
      await rig.server.sql('VACUUM FREEZE');
      await rig.server.sql('CHECKPOINT');
      await rig.backUp(resourceId);
      const sent = await entriesOf(rig, resourceId);
      await rig.managed.application.resources.put({ id: resourceId, service: 'postgresql-physical', configuration });
      const backup = await rig.backUp(resourceId);
      const read = await entriesOf(rig, resourceId);
      assert.deepEqual([...read.keys()].filter(notOfLog), [...sent.keys()].filter(notOfLog));
      for (const [name, described] of sent)
        if (notOfLog(name) && !CHANGES_ALWAYS.has(name)) assert.deepEqual([name, read.get(name)], [name, described]);
      assert.deepEqual(
        [...read.keys()].filter((name) => /archive_status\/.*done$/.test(name)).length,
        [...read.keys()].filter((name) => /^pg_wal\/[0-9A-F]{24}$/.test(name)).length,
      );
      // A segment or two of WAL, and little more.
      assert.ok(backup.statistics.newBytes < 2 * 16 * 1024 * 1024 + 1024 * 1024, `${backup.statistics.newBytes}`);
    });

    if (major >= 17)
      test('is one that an incremental backup by the server builds on', async () => {
        const resourceId = await rig.resource(byFolder);
        const full = await rig.backUp(resourceId);
        await rig.server.sql(`UPDATE orders SET text = 'changed' WHERE id % 20000 = 7`);
        const expected = await rig.server.value(ROWS);
        const incremental = await rig.backUp(resourceId, 'incremental');
        assert.deepEqual([incremental.type, incremental.parentId, incremental.warnings], ['incremental', full.id, []]);
        const target = rig.place('incremental');
        const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
        completed(await rig.restore(incremental, { target, tablespaces: { [oid]: rig.place('incremental far') } }));
        const restored = await (await rig.startRestored(target)).promoted();
        assert.equal(await restored.value(ROWS), expected);
        await restored.stop();
      });

    test('needs a role that may begin and end backups, and says which functions that takes', async () => {
      await rig.server.sql(`CREATE ROLE backup LOGIN REPLICATION PASSWORD '${rig.server.password}'`);
      const connection = rig.server.connection('backup');
      await fails({ connection }, 'postgresql-backup-refused', /GRANT EXECUTE ON FUNCTION pg_/);
      for (const call of major >= 15
        ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
        : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'])
        await rig.server.sql(`GRANT EXECUTE ON FUNCTION ${call} TO backup`);
      await rig.backUp(await rig.resource({ ...byFolder, connection }));
    });

    // What follows differs between no versions.
    if (major !== 15) return;

    test('is whole while tables are made, filled, cut off and dropped, and databases too', async () => {
      const resourceId = await rig.resource(byFolder);
      let isOver = false;
      const writing = (async () => {
        let rounds = 0;
        for (; !isOver; rounds++) {
          await rig.server.sql(
            `CREATE TABLE churn_${rounds} AS SELECT g AS id, repeat('x', 500) AS text FROM generate_series(1, 5000) g`,
          );
          await rig.server.sql(`DELETE FROM churn_${rounds} WHERE id > 10`);
          await rig.server.sql(`VACUUM churn_${rounds}`);
          await rig.server.sql(`CREATE TABLE IF NOT EXISTS kept AS SELECT 0 AS round, 0 AS rows;
            BEGIN; INSERT INTO kept SELECT ${rounds}, count(*) FROM churn_${rounds}; COMMIT`);
          if (rounds >= 3) await rig.server.sql(`TRUNCATE churn_${rounds - 3}; DROP TABLE churn_${rounds - 3}`);
          await rig.server.sql(`CREATE DATABASE churn_${rounds}`);
          await rig.server.sql(`DROP DATABASE churn_${rounds}`);
        }
        return rounds;
      })();
      let backup: Awaited<ReturnType<PhysicalRig['backUp']>>;
      try {
        for (let round = 0; round < 2; round++) await rig.backUp(resourceId);
        backup = await rig.backUp(resourceId);
      } finally {
        isOver = true;
        await writing;
      }
      const target = rig.place('churned');
      const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
      completed(await rig.restore(backup, { target, tablespaces: { [oid]: rig.place('churned far') } }));
      const restored = await (await rig.startRestored(target)).promoted();
      assert.equal(await restored.value(ROWS), await rig.server.value(ROWS));
      assert.equal(await restored.value('SELECT count(*) FROM kept WHERE round > 0 AND rows <> 10'), '0');
      for (const [name] of await restored
        .sql(`SELECT relname FROM pg_class WHERE relname LIKE 'churn%'`)
        .then((rows) => rows.map((row) => Object.values(row) as string[])))
        assert.ok(['10', '5000', '0'].includes(await restored.value(`SELECT count(*) FROM ${name}`)));
      await restored.stop();
    });

    test('leaves nothing where the server dies in its midst, and the next one works', async () => {
      const resourceId = await rig.resource({ ...byFolder, checkpoint: 'spread' });
      const operation = await rig.start(resourceId);
      await eventually(async () => (await rig.server.value(BEGUN)) !== '0', 'the backup did not begin');
      await rig.server.stop('immediate');
      failed(await rig.ended(operation), 'postgresql-connection-lost', /./);
      await rig.server.start();
      await eventually(async () => (await rig.server.value('SELECT pg_is_in_recovery()')) === 'false', 'no recovery');
      await rig.backUp(await rig.resource(byFolder));
    });

    test('ends the backup at the server when it is cancelled', async () => {
      // So that the checkpoint would last for minutes.
      await rig.server.sql('UPDATE orders SET id = id');
      const operation = await rig.start(await rig.resource({ ...byFolder, checkpoint: 'spread' }));
      while ((await rig.server.value(BEGUN)) === '0')
        assert.equal((await rig.managed.application.operations.get(operation.id)).completedAt, undefined);
      await rig.managed.application.operations.cancel(operation.id);
      const ended = await rig.ended(operation);
      assert.equal(ended.status, 'cancelled');
      const isFree = async () => (await rig.leftovers()).slots === 0 && (await rig.server.value(BEGUN)) === '0';
      const since = Date.now();
      await eventually(isFree, 'the backup goes on at the server');
      assert.ok(Date.now() - since < 8000, `it went on for ${Date.now() - since} ms`);
      await rig.backUp(await rig.resource(byFolder));
    });

    test('refuses a folder that is another cluster’s, a copy, or none, before anything is read', async () => {
      const other = await PhysicalRig.create(programs);
      try {
        await fails({ dataFolder: other.server.data }, 'postgresql-other-folder', /another cluster's/);
      } finally {
        await other.remove();
      }
      const copy = rig.place('copy');
      await cp(rig.server.data, copy, { recursive: true, verbatimSymlinks: true });
      await rig.server.sql('CHECKPOINT');
      await fails({ dataFolder: copy }, 'postgresql-other-folder', /does not show the checkpoint/);
      const pid = path.join(copy, 'postmaster.pid');
      await writeFile(pid, '1\n/\n1000000000\n5432\n');
      await fails({ dataFolder: copy }, 'postgresql-other-folder', /another run/);
      await fails({ dataFolder: rig.place('nothing') }, 'postgresql-folder-unreadable', /no such file.*transfer/s);
      const { application } = rig.managed;
      const configuration = { connection: rig.server.connection(), transfer: 'folder' };
      await assert.rejects(
        application.resources.put({ id: 'no-folder', service: 'postgresql-physical', configuration }),
        /dataFolder.*is needed with/,
      );
    });

    test('finds a page that was damaged on the disk, and names its file and number', async () => {
      const rows = 'SELECT g AS id FROM generate_series(1, 20000) g';
      await rig.server.sql(`CREATE TABLE hurt WITH (autovacuum_enabled = off) AS ${rows}; CHECKPOINT`);
      const place = await rig.server.value(`SELECT pg_relation_filepath('hurt')`);
      const file = await open(path.join(rig.server.data, place), 'r+');
      await file.write(Buffer.from('damage'), 0, 6, 17 * 8192 + 5000);
      await file.close();
      await fails({}, 'postgresql-page-checksum', new RegExp(`page 17 of ${place} has a wrong checksum`));
      const told = await rig.backUp(await rig.resource({ ...byFolder, checksums: 'warn' }));
      assert.ok(told.warnings.some((each) => each.includes(`Wrong page checksums in ${place}: page 17`)));
      await rig.server.sql('DROP TABLE hurt; CHECKPOINT');
    });

    test('leaves out what is no file, with a warning, and follows no link', async () => {
      const secret = rig.place('secret');
      await writeFile(secret, 'secret');
      const link = path.join(rig.server.data, 'linked');
      await symlink(secret, link);
      const folder = path.join(rig.server.data, 'own folder');
      await mkdir(folder);
      const named = Buffer.from([...Buffer.from(`${folder}/`), 0x63, 0xe9]);
      await writeFile(named, 'x'.repeat(3_000_000));
      const resourceId = await rig.resource(byFolder);
      const backup = await rig.backUp(resourceId);
      assert.deepEqual(backup.warnings, ['linked is no file and no folder, and is not in the backup.']);
      const names = [...(await entriesOf(rig, resourceId)).keys()];
      assert.ok(names.includes('own folder/c\xe9') && !names.includes('linked'));
      await rm(link);
      await rm(folder, { recursive: true });
    });

    test('is foretold by a test of the connection', async () => {
      const test = async (configuration: Readonly<Record<string, unknown>>) => {
        const whole = { connection: rig.server.connection(), ...byFolder, ...configuration };
        const { checks } = await rig.managed.application.resources.test({
          service: 'postgresql-physical',
          configuration: whole,
        });
        return checks.find(({ name }) => name === 'data folder');
      };
      assert.equal((await test({}))?.outcome, 'ok');
      const missing = await test({ dataFolder: rig.place('nothing') });
      assert.equal(missing?.outcome, 'failed');
      assert.match(missing?.advice ?? missing?.message ?? '', /transfer|SHOW data_directory/);
    });
  };
}

/** Name, kind, mode, size and segments of each entry of the newest backup of a resource. */
async function entriesOf(rig: PhysicalRig, resourceId: string): Promise<ReadonlyMap<string, unknown>> {
  const { backups } = rig.managed.application;
  const [newest] = (await backups.list({ resourceId }, { limit: 1 })).items;
  const reader = await rig.managed.repository.openSnapshot(newest?.id ?? '');
  const found = new Map<string, unknown>();
  try {
    for await (const entry of reader.entries()) {
      const { content, modifiedAt: _modified, ...rest } = entry as typeof entry & { content?: unknown };
      found.set(entry.path, { ...rest, content: JSON.stringify(content, hexadecimal) });
    }
  } finally {
    await reader.close();
  }
  return found;
}

function hexadecimal(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

const notOfLog = (name: string): boolean => !name.startsWith('pg_wal/') || name === 'pg_wal/archive_status';
const CHANGES_ALWAYS: ReadonlySet<string> = new Set(['backup_label', 'backup_manifest', 'global/pg_control']);

describe(
  'a base backup of PostgreSQL 15 that is read beside the server',
  { skip: SKIP_REASON, timeout: 1_200_000 },
  readBesideTheServer(SERVER_PROGRAMS ?? '', 15),
);

describe(
  'a base backup of PostgreSQL 18 that is read beside the server',
  { skip: SKIP_REASON_18, timeout: 1_200_000 },
  readBesideTheServer(POSTGRESQL_18_PROGRAMS, 18),
);

for (const { major, programs } of OLD_SERVERS.filter(({ major }) => major >= 13))
  describe(
    `a base backup of PostgreSQL ${major} that is read beside the server`,
    { skip: SKIP_REASON_OLD, timeout: 1_200_000 },
    readBesideTheServer(programs, major),
  );
