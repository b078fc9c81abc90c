import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Operation } from '../src/core/operation.ts';
import { gather } from './managed-application.ts';
import { completed, failed, NOTHING, PostgresqlRig, toolProcesses } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';

const LARGE = `CREATE TABLE large AS SELECT g AS id, md5(g::text) || md5((g + 1)::text) || repeat(md5((-g)::text), 4) AS filler
  FROM generate_series(1, 500000) g; ALTER TABLE large ADD PRIMARY KEY (id)`;

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was quicker.
  }
}

describe('a backup of PostgreSQL that goes wrong', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;
  const sql = (database: string, script: string) => rig.server.sql(database, script);

  before(async () => {
    rig = await PostgresqlRig.create();
    await sql('postgres', 'CREATE DATABASE shop; CREATE DATABASE large');
    await sql(
      'shop',
      `CREATE TABLE plain (a int); CREATE TABLE secret (a int); CREATE SEQUENCE numbers;
      CREATE SCHEMA hidden; CREATE TABLE hidden.inner (a int)`,
    );
    await sql('large', LARGE);
  });
  after(() => rig.remove());

  /** Makes a backup that must fail, and looks for what it may have left behind. */
  async function fails(
    configuration: Record<string, unknown>,
    code: string,
    message: RegExp,
    meanwhile: (running: Operation) => Promise<void> = async () => undefined,
  ): Promise<Operation> {
    const started = await rig.start(configuration);
    await meanwhile(started);
    const ended = await rig.ended(started);
    failed(ended, code, message);
    assert.equal(await rig.managed.catalogue.backups.count({ resourceId: started.resourceId! }), 0);
    assert.deepEqual(await rig.leftovers(), NOTHING);
    return ended;
  }

  const isRunning = async (operation: { id: string }) => {
    await turn();
    const { status } = await rig.managed.application.operations.get(operation.id);
    return status === 'queued' || status === 'running';
  };

  test('tells a wrong password, and never shows it', async () => {
    process.env.HOLDFAST_TEST_PASSWORD = 'not-the-p4ssword';
    const connection = { ...rig.server.connection(), password: 'env:HOLDFAST_TEST_PASSWORD' };
    const { error } = await fails(
      { databases: ['shop'], connection },
      'postgresql-login-refused',
      /"postgres".*pg_hba/,
    );
    assert.doesNotMatch(JSON.stringify(error), /p4ssword/);
    const { password: _, ...without } = rig.server.connection();
    await fails({ databases: ['shop'], connection: without }, 'postgresql-login-refused', /password/);
  });

  test('tells a server that is not there and a database that is not there', async () => {
    const connection = { host: '127.0.0.1', port: 1, user: 'postgres' };
    await fails({ databases: ['shop'], connection }, 'postgresql-unreachable', /127\.0\.0\.1:1/);
    await fails({ databases: ['shop', 'none'] }, 'postgresql-database-missing', /"none"/);
    await fails({ databases: ['none'] }, 'postgresql-database-missing', /"none"/);
  });

  test('tells tools that are missing or older than the server, and how to get them', async () => {
    const binaries = path.join(rig.folder, 'binaries');
    await mkdir(binaries);
    await fails({ databases: ['shop'], binaries }, 'postgresql-tool-missing', /apt-get install postgresql-client-\d+/);
    for (const tool of ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql']) {
      await writeFile(path.join(binaries, tool), `#!/bin/sh\necho "${tool} (PostgreSQL) 9.6.24"\n`);
      await chmod(path.join(binaries, tool), 0o755);
    }
    await fails({ databases: ['shop'], binaries }, 'postgresql-tool-older', /newest found are 9\.6\.24/);
  });

  test('names everything that the role cannot read', async () => {
    await sql('postgres', `CREATE ROLE poor LOGIN PASSWORD '${rig.server.password}'`);
    await sql('shop', 'GRANT SELECT ON plain TO poor');
    const connection = rig.server.connection('poor');
    const { error } = await fails({ databases: ['shop'], connection }, 'postgresql-unreadable', /pg_read_all_data/);
    assert.match(error!.message, /hidden\."?inner"? \(no USAGE on its schema\), public\.secret \(no SELECT\)/);
    await sql('shop', 'GRANT SELECT ON secret, hidden.inner TO poor; GRANT USAGE ON SCHEMA hidden TO poor');
    await fails({ databases: ['shop'], connection }, 'postgresql-unreadable', /sequence numbers/);
    await fails(
      { databases: ['shop'], connection, globals: true },
      'postgresql-role-passwords-unreadable',
      /rolePasswords/,
    );
  });

  test('is not made of a part of the rows where row-level security hides some, nor without large objects', async () => {
    await sql(
      'postgres',
      `CREATE ROLE reader LOGIN PASSWORD '${rig.server.password}'; GRANT pg_read_all_data TO reader;
      CREATE DATABASE guarded`,
    );
    await sql('guarded', 'CREATE TABLE rows (a int); ALTER TABLE rows ENABLE ROW LEVEL SECURITY');
    const configuration = { databases: ['guarded'], connection: rig.server.connection('reader') };
    await fails(configuration, 'postgresql-unreadable', /public\.rows \(row-level security hides rows\)/);
    await sql('postgres', 'ALTER ROLE reader BYPASSRLS');
    await rig.backUp(configuration);
    await sql('guarded', `SELECT lo_from_bytea(0, 'x')`);
    await fails(configuration, 'postgresql-unreadable', /large object \d+/);
  });

  test('tells a table that stays locked', async () => {
    const locking = sql('shop', 'BEGIN; LOCK TABLE plain; SELECT pg_sleep(600)').catch(() => undefined);
    const locked = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'plain'::regclass`;
    while ((await sql('shop', locked)) !== '1') await turn();
    await fails({ databases: ['shop'], lockTimeoutSeconds: 1 }, 'postgresql-locked', /lockTimeoutSeconds|locks/);
    await sql(
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()`,
    );
    await locking;
  });

  test('tells a database whose connections are cut in mid-dump', async () => {
    let cuts = 0;
    await fails({ databases: ['large'] }, 'postgresql-unreachable', /"large"/, async (running) => {
      const cut = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = 'large' AND query LIKE 'COPY %public.large%'`;
      while (await isRunning(running)) cuts += Number(await sql('postgres', cut));
    });
    assert.ok(cuts > 0);
  });

  test('tells a tool that is killed in mid-dump; its command line has no password', async () => {
    const commands: string[] = [];
    await fails({ databases: ['large'] }, 'postgresql-tool-killed', /SIGKILL/, async (running) => {
      while (await isRunning(running)) {
        for (const { pid } of toolProcesses()) {
          commands.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
          killed(pid);
        }
      }
    });
    assert.match(commands.join(), /pg_dump/);
    assert.doesNotMatch(commands.join(), new RegExp(rig.server.password));
  });

  test('that is cancelled ends its tools, and the next one works', async () => {
    const started = await rig.start({ databases: ['large', 'shop'] });
    while (!toolProcesses().some(({ name }) => name === 'pg_dump')) await turn();
    await rig.managed.application.operations.cancel(started.id);
    assert.equal((await rig.ended(started)).status, 'cancelled');
    assert.deepEqual(await rig.leftovers(), NOTHING);
    await rig.backUp({ databases: ['shop'] });
  });

  test('stores little of a dump that is much like the one before', async () => {
    const first = await rig.backUp({ databases: ['large'] });
    await sql('large', `UPDATE large SET filler = md5(filler) || filler WHERE id BETWEEN 200000 AND 205000`);
    const second = await rig.again(first);
    assert.ok(first.statistics.newBytes > 80_000_000);
    const share = second.statistics.newBytes / first.statistics.newBytes;
    assert.ok(share < 0.1, `stored ${share} of it again`);
  });

  test('counts the rows of the very moment that it dumps, whatever is written meanwhile', async () => {
    await sql('large', 'CREATE TABLE growing (n serial)');
    const grow = `DO $$ BEGIN FOR i IN 1..20000 LOOP INSERT INTO growing DEFAULT VALUES; DELETE FROM large WHERE id = i;
      COMMIT; END LOOP; END $$`;
    const writing = sql('large', grow);
    const backups = [await rig.backUp({ databases: ['large'] }), await rig.backUp({ databases: ['large'] })];
    await writing;
    // A restore counts again and compares.
    for (const backup of backups)
      completed(await rig.restore(backup, { targetDatabase: 'moment', onExisting: 'drop' }));
  });

  test('cancels a restore without a trace', async () => {
    const { application } = rig.managed;
    const backup = await rig.backUp({ databases: ['large'] });
    const options = { targetDatabase: 'never' };
    const { operation } = await application.restores.restore({ backupId: backup.id, createdBy: 'test', options });
    while (!toolProcesses().some(({ name }) => name === 'pg_restore')) await turn();
    await application.operations.cancel(operation.id);
    assert.equal((await rig.ended(operation)).status, 'cancelled');
    assert.deepEqual(await rig.leftovers(), NOTHING);
    assert.equal(await sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'never'`), '0');
  });

  test('fails a restore that is killed, and leaves nothing of the database', async () => {
    const backup = await rig.backUp({ databases: ['large'] });
    for (const jobs of [1, 2]) {
      const { application } = rig.managed;
      const options = { targetDatabase: 'half', jobs };
      const { operation } = await application.restores.restore({ backupId: backup.id, createdBy: 'test', options });
      while (await isRunning(operation)) for (const { pid } of toolProcesses()) killed(pid);
      failed(await rig.ended(operation), 'postgresql-tool-killed', /pg_restore/);
      assert.deepEqual(await rig.leftovers(), NOTHING);
    }
    assert.equal(await sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'half'`), '0');
    completed(await rig.restore(backup, { targetDatabase: 'half', jobs: 2 }));
  });

  test('breaks a stream of plain SQL that cannot be given to its end', async () => {
    const backup = await rig.backUp({ databases: ['large'] });
    const { bytes } = await rig.managed.application.backups.content(backup.id, new AbortController().signal);
    await assert.rejects(
      async () => {
        for await (const _ of bytes) for (const { pid } of toolProcesses()) killed(pid);
      },
      { code: 'postgresql-tool-killed' },
    );
    const several = await rig.backUp({ databases: ['shop', 'large'] });
    const other = await rig.managed.application.backups.content(several.id, new AbortController().signal);
    await assert.rejects(gather(other.bytes), { code: 'postgresql-several-databases' });
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });
});

describe('a backup of PostgreSQL that lies on a bad disk', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  test('breaks a stream of plain SQL, and restores nothing', async () => {
    const rig = await PostgresqlRig.create();
    try {
      await rig.server.sql('postgres', LARGE.replace('500000', '50000'));
      const backup = await rig.backUp({ databases: ['postgres'] });
      const packs = path.join(rig.folder, 'repository', 'packs');
      // How long packs are depends on the compression, and on which thread stored how much of the dump.
      for (const entry of await readdir(packs, { recursive: true, withFileTypes: true })) {
        const file = path.join(entry.parentPath, entry.name);
        if (entry.isFile()) await truncate(file, Math.floor((await stat(file)).size / 2));
      }
      await assert.rejects(rig.content(backup), { kind: 'damaged' });
      const operation = await rig.restore(backup, { targetDatabase: 'again' });
      assert.deepEqual([operation.status, operation.error?.kind], ['failed', 'damaged']);
      assert.deepEqual(await rig.leftovers(), NOTHING);
    } finally {
      await rig.remove();
    }
  });
});
