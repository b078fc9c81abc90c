import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ownedSubfolder } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

const ROWS = `SELECT (SELECT sum(hashtext(o::text)) FROM orders o) || ' ' || (SELECT sum(hashtext(f::text)) FROM far f)`;

describe('a physical backup of PostgreSQL', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;
  let resourceId: string;

  before(async () => {
    rig = await PhysicalRig.create(SERVER_PROGRAMS ?? '');
    const location = await ownedSubfolder(rig.server.folder, 'far away');
    await rig.server.sql(`CREATE TABLESPACE far LOCATION '${location}'`);
    await rig.server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 200000) g;
      ALTER TABLE orders ADD PRIMARY KEY (id);
      CREATE TABLE far (id int PRIMARY KEY, text text) TABLESPACE far;
      INSERT INTO far SELECT g, md5(g::text) FROM generate_series(1, 20000) g`);
    resourceId = await rig.resource();
  });
  after(() => rig.remove());

  test('restores to a folder that starts with every row, with its tablespaces elsewhere', async () => {
    const expected = await rig.server.value(ROWS);
    const backup = await rig.backUp(resourceId);
    assert.equal(backup.type, 'full');
    assert.deepEqual(backup.warnings, []);
    assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
    await rig.server.sql(`DELETE FROM orders WHERE id % 2 = 0`);
    const target = rig.place('restored');
    const far = rig.place('restored far');
    const old = await rig.server.value(`SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'far'`);
    const { result } = completed(await rig.restore(backup, { target, tablespaces: { [old]: far } }));
    assert.equal(result?.target, target);
    assert.equal(result?.recoverTo, 'immediate');
    assert.equal((await stat(target)).mode & 0o777, 0o700);
    const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
    assert.equal(await readlink(path.join(target, 'pg_tblspc', oid)), far);
    assert.ok(existsSync(path.join(target, 'recovery.signal')));
    // The server's own tool, against the server's own manifest.
    await rig.server.program('pg_verifybackup', target);
    const restored = await rig.startRestored(target);
    assert.equal(await restored.value(ROWS), expected);
    assert.match(await readFile(path.join(target, 'postgresql.auto.conf'), 'utf8'), /recovery_target = 'immediate'/);
  });
});
