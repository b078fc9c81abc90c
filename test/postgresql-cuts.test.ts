import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CuttingProxy } from './cutting-proxy.ts';
import { NOTHING, PostgresqlRig } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';

/** `.ci/run` has more. */
const CUTS = Number(process.env.HOLDFAST_DUMP_CUTS ?? 12);

/** Backups at once: most of one is waiting for connections. */
const AT_ONCE = 4;

describe('a logical backup of PostgreSQL over a bad network', { skip: SKIP_REASON, timeout: 1_800_000 }, () => {
  let rig: PostgresqlRig;
  let proxies: CuttingProxy[];

  before(async () => {
    rig = await PostgresqlRig.create();
    proxies = await Promise.all(Array.from({ length: AT_ONCE }, () => CuttingProxy.to(rig.server.port)));
    await rig.server.sql('postgres', 'CREATE DATABASE shop');
    const rows = 'SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g';
    await rig.server.sql('shop', `CREATE TABLE orders AS ${rows}; CREATE TABLE others AS ${rows}`);
  });
  after(async () => {
    for (const proxy of proxies) await proxy.close();
    await rig.remove();
  });

  function configurationBy({ port }: CuttingProxy) {
    const { password } = rig.server.connection();
    return { connection: { host: '127.0.0.1', port, user: 'postgres', password }, databases: ['shop'], globals: true };
  }

  async function backUpCut(proxy: CuttingProxy, whole: number): Promise<string> {
    // At its end only the tools' good-byes come through.
    proxy.reset(Math.floor(Math.random() * (whole - 2000)));
    const ended = await rig.ended(await rig.start(configurationBy(proxy)));
    const told = `cut at ${proxy.cutAfter} of ${whole}: ${ended.status} ${ended.error?.code} ${ended.error?.message}`;
    assert.equal(ended.status, 'failed', told);
    assert.equal(ended.error?.code, 'postgresql-unreachable', told);
    assert.doesNotMatch(JSON.stringify(ended), /sup3r-secret/);
    return told;
  }

  test('fails with a clear error wherever its connections are cut, and the next one works', async () => {
    const [first] = proxies;
    assert.ok(first !== undefined);
    await rig.backUp(configurationBy(first));
    const whole = first.forwarded;
    for (let cut = 0; cut < CUTS; cut += AT_ONCE) {
      const told = await Promise.all(proxies.map((proxy) => backUpCut(proxy, whole)));
      assert.deepEqual(await rig.leftovers(), NOTHING, told.join('\n'));
    }
    assert.equal(await rig.managed.catalogue.backups.count({}), 1);
    first.reset();
    await rig.backUp(configurationBy(first));
    const report = await rig.managed.repository.check({ level: 3 });
    assert.deepEqual(report.findings, []);
  });
});
