import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BackupType } from '../src/core/backup.ts';
import { skipUnless } from './installed-programs.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

/** Comes with Debian's server and talks to newer ones as well. */
const PGBENCH = path.join(SERVER_PROGRAMS ?? '', 'pgbench');
const WITHOUT_PGBENCH = SKIP_REASON || skipUnless(existsSync(PGBENCH), 'pgbench', 'apt-get install postgresql');

/** pgbench's transactions change all four by the same amount; each sum that differs is a transaction torn apart. */
const SUMS = `SELECT (SELECT sum(abalance) FROM pgbench_accounts) AS accounts, (SELECT sum(tbalance) FROM pgbench_tellers)
  AS tellers, (SELECT sum(bbalance) FROM pgbench_branches) AS branches, (SELECT sum(delta) FROM pgbench_history) AS history`;

interface Load {
  settings?: readonly string[];
  types?: readonly BackupType[];
  transfer?: 'replication' | 'folder';
}

function underLoad(programs: string, { settings = [], types = ['full'], transfer = 'replication' }: Load): () => void {
  return () => {
    let rig: PhysicalRig;

    before(async () => {
      rig = await PhysicalRig.create(programs, { settings });
      await pgbench('-i', '-s', '4', '-q');
    });
    after(() => rig.remove());

    async function pgbench(...args: string[]): Promise<void> {
      const child = start(...args);
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    }

    function start(...args: string[]) {
      const { folder, port, password } = rig.server;
      const env = {
        PATH: process.env.PATH,
        PGHOST: folder,
        PGPORT: `${port}`,
        PGUSER: 'postgres',
        PGPASSWORD: password,
      };
      return spawn(PGBENCH, [...args, 'postgres'], { env, stdio: 'ignore' });
    }

    for (const [position, type] of types.entries())
      test(`is whole while transactions run: ${type}`, async () => {
        const dataFolder = rig.server.data;
        const resourceId = position === 0 ? await rig.resource({ transfer, dataFolder }) : 'cluster-1';
        const writer = start('-c', '3', '-T', '600', '-n');
        const ended = once(writer, 'exit');
        let backup: Awaited<ReturnType<PhysicalRig['backUp']>>;
        try {
          const running = `SELECT count(*) FROM pgbench_history WHERE mtime > now() - interval '1 minute'`;
          while ((await rig.server.value(running)) === '0') assert.equal(writer.exitCode, null);
          backup = await rig.backUp(resourceId, type);
          assert.equal(writer.exitCode, null);
        } finally {
          writer.kill();
          await ended;
        }
        assert.deepEqual([backup.type, backup.warnings], [type, []]);
        const target = rig.place(`restored-${type}`);
        completed(await rig.restore(backup, { target }));
        const restored = await (await rig.startRestored(target)).promoted();
        const [sums = {}] = await restored.sql(SUMS);
        assert.notEqual(sums.history, null);
        assert.equal(new Set(Object.values(sums)).size, 1, JSON.stringify(sums));
        await restored.sql(`CREATE EXTENSION IF NOT EXISTS amcheck; SELECT bt_index_check(oid, true) FROM pg_class
          WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'btree')`);
        await restored.stop();
      });
  };
}

describe(
  'a physical backup of PostgreSQL under load',
  { skip: SKIP_REASON || WITHOUT_PGBENCH, timeout: 1_200_000 },
  underLoad(SERVER_PROGRAMS ?? '', {}),
);

describe(
  'a physical backup of PostgreSQL under load whose files are read beside the server',
  { skip: SKIP_REASON || WITHOUT_PGBENCH, timeout: 1_200_000 },
  underLoad(SERVER_PROGRAMS ?? '', { transfer: 'folder' }),
);

describe(
  'a physical backup of PostgreSQL 18 under load',
  { skip: SKIP_REASON_18 || WITHOUT_PGBENCH, timeout: 1_200_000 },
  underLoad(POSTGRESQL_18_PROGRAMS, {
    settings: ['summarize_wal = on'],
    types: ['full', 'incremental', 'differential'],
    transfer: 'folder',
  }),
);
