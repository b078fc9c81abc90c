import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, open, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Operation } from '../src/core/operation.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { ClusterServer, ownedSubfolder } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { failed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

const PROGRAMS = SERVER_PROGRAMS ?? '';
/** For what needs a small disk of its own. */
const WITHOUT_DISK =
  'NO DISK COULD BE MOUNTED, SO THIS WAS NOT TESTED. Run as root where mounting is allowed: sudo npm test';
const CUTS = Number(process.env.HOLDFAST_CUTS ?? 12);

describe('a physical backup of PostgreSQL that goes wrong', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;

  before(async () => {
    rig = await PhysicalRig.create(PROGRAMS, { settings: ['max_wal_senders = 3', 'max_replication_slots = 2'] });
    await rig.server.sql('CREATE TABLE rows AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 100000) g');
  });
  after(() => rig.remove());

  /** A backup that must fail, and leave nothing behind. */
  async function fails(resourceId: string, code: string, message: RegExp): Promise<Operation> {
    const operation = await rig.ended(await rig.start(resourceId));
    failed(operation, code, message);
    await leavesNothing(resourceId);
    return operation;
  }

  async function leavesNothing(resourceId: string, backups = 0): Promise<void> {
    assert.equal(await rig.managed.catalogue.backups.count({ resourceId }), backups);
    // The server notices a lost connection when it writes next.
    for (let tries = 0; tries < 100; tries++) {
      if (JSON.stringify(await rig.leftovers()) === '{"senders":0,"slots":0}') return;
      await sleep(100);
    }
    assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
  }

  test('fails with a clear error wherever its connection is cut, and the next one works', async () => {
    const proxy = await CuttingProxy.to(rig.server.port);
    try {
      const { password } = rig.server.connection();
      const connection = { host: '127.0.0.1', port: proxy.port, user: 'postgres', password };
      const resourceId = await rig.resource({ connection });
      await rig.backUp(resourceId);
      const whole = proxy.forwarded;
      for (let cut = 1; cut <= CUTS; cut++) {
        proxy.reset(Math.floor(Math.random() * (whole - 2000)));
        const ended = await rig.ended(await rig.start(resourceId));
        const told = `cut at ${proxy.cutAfter} of ${whole}: ${ended.status} ${ended.error?.code} ${ended.error?.message}`;
        assert.equal(ended.status, 'failed', told);
        assert.match(ended.error?.code ?? '', /^postgresql-(connection-lost|unreachable)$/, told);
        assert.doesNotMatch(JSON.stringify(ended), /sup3r-secret/);
        assert.equal(await rig.managed.catalogue.backups.count({ resourceId }), 1, told);
      }
      proxy.reset();
      await leavesNothing(resourceId, 1);
      const { id } = await rig.backUp(resourceId);
      const report = await rig.managed.repository.check({ level: 3 });
      assert.ok(id.startsWith('backup-') && report.findings.length === 0);
    } finally {
      await proxy.close();
    }
  });

  test('leaves no connection and no slot when it is cancelled', async () => {
    const resourceId = await rig.resource({ maxRate: 512 });
    const operation = await rig.start(resourceId);
    const { operations } = rig.managed.application;
    for (let tries = 0; ((await operations.get(operation.id)).progress.doneBytes ?? 0) === 0; tries++) {
      assert.ok(tries < 600, 'the backup did not begin to copy');
      await sleep(100);
    }
    assert.deepEqual(await rig.leftovers(), { senders: 2, slots: 1 });
    await operations.cancel(operation.id);
    assert.equal((await rig.ended(operation)).status, 'cancelled');
    await leavesNothing(resourceId);
  });

  test('tells a role without the right, a wrong password and a server that takes no replication', async () => {
    await rig.server.sql(`CREATE ROLE plain LOGIN PASSWORD '${rig.server.password}'`);
    const plain = await rig.resource({ connection: rig.server.connection('plain') });
    await fails(plain, 'postgresql-replication-refused', /ALTER ROLE "plain" REPLICATION/);
    process.env.HOLDFAST_TEST_PASSWORD = 'not-the-p4ssword';
    const wrong = await rig.resource({
      connection: { ...rig.server.connection(), password: 'env:HOLDFAST_TEST_PASSWORD' },
    });
    const { error } = await fails(wrong, 'postgresql-login-refused', /pg_hba/);
    assert.doesNotMatch(JSON.stringify(error), /p4ssword/);
    const absent = await rig.resource({ connection: { host: '127.0.0.1', port: 1, user: 'postgres' } });
    await fails(absent, 'postgresql-connection-lost', /127\.0\.0\.1:1/);
  });

  test('refuses another cluster under the same resource, unless that is accepted', async () => {
    const resourceId = await rig.resource();
    await rig.backUp(resourceId);
    const other = await ClusterServer.create(PROGRAMS);
    try {
      const { resources } = rig.managed.application;
      const configuration = { connection: other.connection() };
      await resources.put({ id: resourceId, service: 'postgresql-physical', configuration });
      const identifier = (server: ClusterServer) =>
        server.value('SELECT system_identifier::text FROM pg_control_system()');
      const [found, known] = [await identifier(other), await identifier(rig.server)];
      const operation = await rig.ended(await rig.start(resourceId));
      failed(operation, 'postgresql-other-system', new RegExp(`${found}.*${known}.*acceptNewSystem`));
      const accepting = { ...configuration, acceptNewSystem: true };
      await resources.put({ id: resourceId, service: 'postgresql-physical', configuration: accepting });
      await rig.backUp(resourceId);
    } finally {
      await other.remove();
    }
  });

  test('finds a page that was damaged on the disk, and names its file and number', async () => {
    // A page that autovacuum reads is written again by the next checkpoint.
    const rows = 'SELECT g AS id FROM generate_series(1, 20000) g';
    await rig.server.sql(`CREATE TABLE hurt WITH (autovacuum_enabled = off) AS ${rows}; CHECKPOINT`);
    const place = await rig.server.value(`SELECT pg_relation_filepath('hurt')`);
    const file = await open(path.join(rig.server.data, place), 'r+');
    try {
      await file.write(Buffer.from('damage'), 0, 6, 17 * 8192 + 5000);
    } finally {
      await file.close();
    }
    const found = new RegExp(`page 17 of ${place} has a wrong checksum`);
    await fails(await rig.resource(), 'postgresql-page-checksum', found);
    const told = await rig.backUp(await rig.resource({ checksums: 'warn' }));
    assert.ok(told.warnings.some((each) => each.includes(`Wrong page checksums in ${place}: page 17`)));
    const silent = await rig.backUp(await rig.resource({ checksums: 'off' }));
    assert.deepEqual(silent.warnings, []);
    await rig.server.sql('DROP TABLE hurt; CHECKPOINT');
  });

  test('warns where no slot is free, and goes on', async () => {
    await rig.server.sql(
      `SELECT pg_create_physical_replication_slot('one'), pg_create_physical_replication_slot('two')`,
    );
    const { warnings } = await rig.backUp(await rig.resource());
    assert.match(warnings[0] ?? '', /No temporary replication slot.*max_replication_slots/);
    const without = await rig.backUp(await rig.resource({ temporarySlot: false }));
    assert.deepEqual(without.warnings, []);
    await rig.server.sql(`SELECT pg_drop_replication_slot('one'), pg_drop_replication_slot('two')`);
  });

  test('restores into nothing that is in use, not empty, or cannot be', async () => {
    const backup = await rig.backUp(await rig.resource());
    const restore = async (options: Record<string, unknown>, code: string, message: RegExp) =>
      failed(await rig.restore(backup, options), code, message);
    await restore({ target: rig.server.data }, 'restore-target-in-use', /A server runs in .*process \d+/);
    const full = await ownedSubfolder(rig.folder, 'full');
    await writeFile(path.join(full, 'precious'), 'mine');
    await restore({ target: full }, 'target-not-empty', /Move it away/);
    assert.deepEqual(await readdir(full), ['precious']);
    await restore({ target: path.join(full, 'precious') }, 'target-not-a-folder', /is no folder/);
    await restore({ target: '/nowhere/at/all' }, 'target-folder-missing', /does not exist/);
    await restore({}, 'options-invalid', /`target`/);
    const target = rig.place('free');
    await restore({ target, tablespaces: { 99: '/tmp/x' } }, 'options-invalid', /names "99"/);
    await restore({ target, owner: 'nobody-at-all' }, 'owner-unknown', /no account "nobody-at-all"/);
    await restore({ target, owner: 'root' }, 'owner-unknown', /does not run as root/);
    await restore({ target, recoverTo: 'latest' }, 'recovery-needs-log', /own end only/);
    await restore({ target, recoverTo: { time: '2026-01-01T00:00:00' } }, 'options-invalid', /time zone/);
    const early = { recoverTo: { time: '2020-01-01T00:00:00Z' }, restoreCommand: 'cp /w/%f %p' };
    await restore({ target, ...early }, 'recovery-target-too-early', /ended last before the target/);
    assert.ok(!existsSync(target));
  });

  test('leaves nothing of a restore that is cancelled in its midst', async () => {
    const backup = await rig.backUp(await rig.resource());
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    const existing = await ownedSubfolder(rig.folder, 'existing');
    const before = await readdir(rig.folder);
    try {
      for (const target of [rig.place('cancelled'), existing]) {
        const cancelling = new AbortController();
        const context = { backup, chain: [{ backup, reader }], options: { target }, signal: cancelling.signal };
        const report = ({ doneBytes = 0 }) => {
          assert.ok(doneBytes > 0 && readdirSync(rig.folder).length >= before.length);
          cancelling.abort(new Error('cancelled by the test'));
        };
        await assert.rejects(rig.service.restore({ ...context, report, warn: assert.fail }), /cancelled by the test/);
        assert.deepEqual(await readdir(rig.folder), before);
        assert.deepEqual(await readdir(existing), []);
      }
    } finally {
      await reader.close();
    }
  });

  test('leaves nothing of a restore whose disk fills up', {
    skip: process.geteuid?.() !== 0 && WITHOUT_DISK,
  }, async (t) => {
    const backup = await rig.backUp(await rig.resource());
    const disk = await ownedSubfolder(rig.folder, 'disk');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      t.skip(WITHOUT_DISK);
      return;
    }
    try {
      const target = path.join(disk, 'data');
      failed(await rig.restore(backup, { target }), 'target-space-short', /has \d+ bytes left, and the restore needs/);
      // With a tablespace, only the writing finds out.
      const location = await ownedSubfolder(rig.server.folder, 'space');
      await rig.server.sql(`CREATE TABLESPACE space LOCATION '${location}'`);
      const spaced = await rig.backUp(await rig.resource());
      const options = { target, tablespaces: { [location]: rig.place('spaced') } };
      failed(await rig.restore(spaced, options), 'target-space-short', /disk is full: make room/);
      assert.deepEqual(await readdir(disk), []);
      assert.ok(!existsSync(rig.place('spaced')));
      await rig.server.sql('DROP TABLESPACE space');
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('fails where a file comes with other bytes than the server sent', async () => {
    const marker = 'the bytes that are changed on their way; ';
    await writeFile(path.join(rig.server.data, 'own-file'), marker.repeat(1000));
    await chmod(path.join(rig.server.data, 'own-file'), 0o644);
    const proxy = await CuttingProxy.to(rig.server.port);
    proxy.change = { from: Buffer.from('changed on their way'), to: Buffer.from('Changed on their way') };
    try {
      const { password } = rig.server.connection();
      const connection = { host: '127.0.0.1', port: proxy.port, user: 'postgres', password };
      const resourceId = await rig.resource({ connection });
      await fails(resourceId, 'postgresql-manifest-violated', /own-file came with other bytes than were sent/);
      delete proxy.change;
      await rig.backUp(resourceId);
    } finally {
      await proxy.close();
      await rm(path.join(rig.server.data, 'own-file'));
    }
  });
});
