import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { Operation } from '../src/core/operation.ts';
import { flip } from './flipped-bytes.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import type { ClusterServer } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

const ROWS = 'SELECT string_agg(what, $$ $$ ORDER BY what) FROM notes';

for (const [version, programs, skip] of [
  ['the newest PostgreSQL of this machine', SERVER_PROGRAMS ?? '', SKIP_REASON],
  ['PostgreSQL 18', POSTGRESQL_18_PROGRAMS, SKIP_REASON_18],
] as const)
  describe(`a restore over the data folder of another resource, with ${version}`, { skip, timeout: 1_200_000 }, () => {
    let rig: PhysicalRig;
    let backup: Backup;
    let staging: ClusterServer;
    before(async () => {
      rig = await PhysicalRig.create(programs, { settings: ['archive_mode = on', "archive_command = 'true'"] });
      await rig.server.sql("CREATE TABLE notes (what text); INSERT INTO notes VALUES ('production')");
      backup = await rig.backUp(await rig.resource());
      completed(await rig.restore(backup, { target: rig.place('staging'), archiving: 'off' }));
      staging = await rig.startRestored(rig.place('staging'));
      await (await staging.promoted()).sql("INSERT INTO notes VALUES ('staging')");
      const configuration = { connection: rig.server.connection(), dataFolder: staging.data };
      const { resources } = rig.managed.application;
      await resources.put({ id: 'staging', service: 'postgresql-physical', configuration });
      await resources.put({
        id: 'elsewhere',
        service: 'postgresql-physical',
        configuration: { connection: rig.server.connection() },
      });
    });
    after(() => rig.remove());

    async function restoreInto(targetResourceId: string, options: Record<string, unknown> = {}): Promise<Operation> {
      const { restores } = rig.managed.application;
      const request = { backupId: backup.id, targetResourceId, createdBy: 'test', options };
      return rig.ended((await restores.restore(request)).operation);
    }
    const beside = async () => (await readdir(rig.folder)).filter((name) => name.startsWith('staging.')).sort();

    test('needs to be told where that is, that it may be replaced, and that no server runs there', async () => {
      assert.equal((await restoreInto('elsewhere')).error?.code, 'restore-target-unknown');
      assert.equal((await restoreInto('staging', { target: '/tmp/other' })).error?.code, 'options-invalid');
      assert.equal((await restoreInto('staging', { conflict: 'replace' })).error?.code, 'restore-target-in-use');
      assert.equal(await staging.value(ROWS), 'production staging');
      await staging.stop();
      assert.equal((await restoreInto('staging')).error?.code, 'target-not-empty');
      const { result } = completed(await restoreInto('staging', { conflict: 'replace', dryRun: true }));
      const plan = result?.plan as { replaced: { names: string[] }; created: { count: number } };
      assert.match(plan.replaced.names[0] ?? '', /staging \(is moved aside, to .*staging\.before-restore-TIME\)$/);
      assert.equal(plan.created.count, 0);
      assert.deepEqual(await beside(), []);
    });

    test('moves what was there aside when it is complete, and both start', async () => {
      const { result } = completed(await restoreInto('staging', { conflict: 'replace' }));
      const aside = String(result?.movedAside);
      assert.deepEqual(await beside(), [path.basename(aside)]);
      await staging.start();
      assert.equal(await (await staging.promoted()).value(ROWS), 'production');
      // Else it would archive among the WAL of the one that was backed up.
      assert.equal(await staging.value('SHOW archive_mode'), 'off');
      await staging.sql("INSERT INTO notes VALUES ('later')");
      await staging.stop();
      const old = await rig.startRestored(aside);
      assert.equal(await old.value(ROWS), 'production staging');
      await old.stop();
    });

    test('leaves what was there in its place where it fails', async () => {
      const folder = path.join(rig.folder, 'repository', 'packs');
      for (const name of await readdir(folder, { recursive: true }))
        if (/[0-9a-f]{64}$/.test(name)) await flip(folder, name, 300);
      const names = await beside();
      const { error } = await restoreInto('staging', { conflict: 'replace' });
      assert.equal(error?.kind, 'damaged');
      assert.deepEqual(await beside(), names);
      assert.ok(!existsSync(path.join(staging.data, 'recovery.signal')));
      await staging.start();
      assert.equal(await staging.value(ROWS), 'later production');
    });
  });
