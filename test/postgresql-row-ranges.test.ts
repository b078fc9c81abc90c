import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './eventually.ts';
import { completed, NOTHING, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { SERVER_PROGRAMS as NEWEST_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

const SERVER_PROGRAMS = NEWEST_PROGRAMS ?? 'none';
const LARGE = `CREATE TABLE large (id int PRIMARY KEY, filler text);
  INSERT INTO large SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, 160000) g;
  DO $$ BEGIN FOR n IN 1..10 LOOP
    EXECUTE format('CREATE TABLE small_%s AS SELECT repeat(md5(g::text), 20) AS filler FROM generate_series(1, 1000) g', n);
  END LOOP; END $$`;

describe('rows of a table that several sessions read by ranges of pages', {
  skip: SKIP_REASON,
  timeout: 300_000,
}, () => {
  let rig: PostgresqlRig;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ranges-'));
    rig = await PostgresqlRig.create();
  });
  after(async () => {
    await rig.remove();
    await rm(folder, { recursive: true, force: true });
  });

  async function database(name: string): Promise<void> {
    await rig.server.sql('postgres', `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
    await rig.server.sql(name, LARGE);
  }

  /** Client tools of which pg_dump is a line of shell, that begins it by `"$program" "$@"`. */
  async function binariesWith(name: string, line: string): Promise<string> {
    const binaries = path.join(folder, name);
    await mkdir(binaries);
    for (const tool of ['pg_dumpall', 'pg_restore', 'psql'])
      await symlink(path.join(SERVER_PROGRAMS, tool), path.join(binaries, tool));
    const program = `${SERVER_PROGRAMS}/pg_dump`;
    const script = `#!/bin/sh\nprogram=${program}\ncase "$1" in --version) exec ${program} "$@";; esac\n${line}\n`;
    await writeFile(path.join(binaries, 'pg_dump'), script);
    await chmod(folder, 0o755);
    await chmod(path.join(binaries, 'pg_dump'), 0o755);
    return binaries;
  }

  test('are never those of a view that somebody put in its place, which would run with our rights', async () => {
    await database('swapped');
    const binaries = await binariesWith('late', `touch ${folder}/begun; sleep 2; exec "$program" "$@"`);
    const operation = await rig.start({ databases: ['swapped'], binaries, jobs: 2 });
    await eventually(() => existsSync(path.join(folder, 'begun')), 'pg_dump was not begun');
    await rig.server.sql(
      'swapped',
      `CREATE FUNCTION watched(text) RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran as %', current_user; RETURN $1; END $$;
      ALTER TABLE large RENAME TO kept; CREATE VIEW large AS SELECT ctid, id, watched(filler) AS filler FROM kept`,
    );
    const { error } = await rig.ended(operation);
    assert.doesNotMatch(rig.server.log(), /ran as/);
    assert.match(error?.message ?? '', /cannot copy from view "large"/);
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('come though somebody begins to rebuild an index of it meanwhile', async () => {
    await database('rebuilt');
    const binaries = await binariesWith('slow', '"$program" "$@" | (head -c 1000000; sleep 3; cat)');
    const operation = await rig.start({ databases: ['rebuilt'], binaries, jobs: 3 });
    const locked = `SELECT count(*) > 0 FROM pg_locks WHERE relation::regclass::text = 'large_pkey' AND granted AND mode = 'AccessShareLock'`;
    await eventually(async () => (await rig.server.sql('rebuilt', locked)) === 't', 'no index was locked');
    const rebuilding = rig.server.sql('rebuilt', 'REINDEX INDEX large_pkey');
    const backup = await rig.managed.application.backups.get(completed(await rig.ended(operation)).backupId ?? '');
    await rebuilding;
    completed(await rig.restore(backup, { targetDatabase: 'rebuilt copy' }));
    sameText(await rig.server.dump('rebuilt copy'), await rig.server.dump('rebuilt'));
  });

  test('leave connections of the server to others, however many jobs there are', async () => {
    await database('crowded');
    const others = await Promise.all(Array.from({ length: 24 }, () => rig.server.connect()));
    try {
      const binaries = await binariesWith('crowded', '"$program" "$@" | (head -c 1000000; sleep 2; cat)');
      const operation = await rig.start({ databases: ['crowded'], binaries, jobs: 32 });
      let most = 0;
      const reading = `SELECT count(*) FROM pg_stat_activity WHERE datname = 'crowded'`;
      await eventually(async () => {
        most = Math.max(most, Number(await rig.server.sql('postgres', reading)));
        return (await rig.managed.application.operations.get(operation.id)).status === 'completed';
      }, 'the backup did not end');
      // Of 40, of which 3 are kept for superusers, 24 are taken.
      assert.ok(most > 3 && most <= 12, `${most} connections`);
    } finally {
      await Promise.all(others.map((client) => client.end()));
    }
  });
});
