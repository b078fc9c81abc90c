import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CuttingProxy } from './cutting-proxy.ts';
import { NOTHING, PostgresqlRig } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';

/** `.ci/run` has more. */
const CUTS = Number(process.env.HOLDFAST_CUTS ?? 12);

describe('a logical backup of PostgreSQL over a bad network', { skip: SKIP_REASON, timeout: 1_800_000 }, () => {
  let rig: PostgresqlRig;
  let proxy: CuttingProxy;

  before(async () => {
    rig = await PostgresqlRig.create();
    proxy = await CuttingProxy.to(rig.server.port);
    await rig.server.sql('postgres', 'CREATE DATABASE shop');
    const rows = 'SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g';
    await rig.server.sql('shop', `CREATE TABLE orders AS ${rows}; CREATE TABLE others AS ${rows}`);
  });
  after(async () => {
    await proxy.close();
    await rig.remove();
  });

  test('fails with a clear error wherever its connections are cut, and the next one works', async () => {
    const { password } = rig.server.connection();
    const connection = { host: '127.0.0.1', port: proxy.port, user: 'postgres', password };
    const configuration = { connection, databases: ['shop'], globals: true };
    await rig.backUp(configuration);
    const whole = proxy.forwarded;
    for (let cut = 1; cut <= CUTS; cut++) {
      // At its end only the tools' good-byes come through.
      proxy.reset(Math.floor(Math.random() * (whole - 2000)));
      const ended = await rig.ended(await rig.start(configuration));
      const told = `cut at ${proxy.cutAfter} of ${whole}: ${ended.status} ${ended.error?.code} ${ended.error?.message}`;
      assert.equal(ended.status, 'failed', told);
      assert.equal(ended.error?.code, 'postgresql-unreachable', told);
      assert.doesNotMatch(JSON.stringify(ended), /sup3r-secret/);
      assert.deepEqual(await rig.leftovers(), NOTHING, told);
    }
    assert.equal(await rig.managed.catalogue.backups.count({}), 1);
    proxy.reset();
    await rig.backUp(configuration);
    const report = await rig.managed.repository.check({ level: 3 });
    assert.deepEqual(report.findings, []);
  });
});
