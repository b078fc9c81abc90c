import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { type DownloadRig, startDownloads } from './download-rig.ts';
import { eventually } from './eventually.ts';
import { NGINX_SKIP_REASON, NginxServer, type ProxyKind } from './nginx-server.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const ROWS = 100_000;
const PLACES = [0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4];
const WAYS = ['http/1.1', 'http/1.0', 'nginx http10', 'nginx http11', 'nginx unbuffered', 'nginx http2'] as const;
type Way = (typeof WAYS)[number];
const skip = SKIP_REASON || NGINX_SKIP_REASON;

describe('a download that fails on its way', { skip }, () => {
  const afters: (() => unknown)[] = [];
  let rig: DownloadRig;
  let server: PostgresqlServer;
  let nginx: NginxServer;
  let original: { file: string; bytes: Buffer };
  let damaged: Buffer;

  before(async () => {
    server = await PostgresqlServer.start();
    rig = await startDownloads({ after: (work) => void afters.push(work as () => unknown) });
    nginx = await NginxServer.before(rig.url);
    await rig.backUpSql('shop', ROWS);
    const file = await rig.largestPack();
    original = { file, bytes: await readFile(file) };
    damaged = await damagedBehindTheBeginning();
    await server.sql('postgres', 'CREATE DATABASE fresh');
    await server.sql('postgres', 'CREATE DATABASE app');
    await server.sql('app', 'CREATE TABLE kept (id integer); INSERT INTO kept VALUES (1)');
  });
  after(async () => {
    await nginx?.close();
    for (const work of afters) await work();
    await server?.remove();
  });

  /** The pack with a damage that shows only when a part was given: which chunks lie where differs from one run to the next. */
  async function damagedBehindTheBeginning(): Promise<Buffer> {
    // What is read ahead fails before the first byte where the machine is slow to send it.
    for (const place of [...PLACES, ...PLACES, ...PLACES]) {
      const bytes = Buffer.from(original.bytes);
      const from = Math.floor(bytes.length * place);
      for (let at = from; at < from + 64; at++) bytes[at]! ^= 0xff;
      await writeFile(original.file, bytes);
      const answer = await fetch(`${rig.url}/download/shop`);
      const isCut = await answer.arrayBuffer().then(
        () => false,
        () => true,
      );
      await writeFile(original.file, original.bytes);
      if (answer.status === 200 && isCut) return bytes;
    }
    return assert.fail('no damage shows behind the beginning');
  }

  /** `curl … | psql fresh`, and how both ended. */
  async function piped(
    way: Way,
    route: string,
    database = 'fresh',
  ): Promise<{ curl: number | null; status: string; psql: number | null; said: string }> {
    const [kind, proxy] = way.split(' ');
    const url = kind === 'nginx' ? nginx.url(proxy as ProxyKind) : rig.url;
    const how = { 'http/1.0': ['--http1.0'], 'nginx http2': ['--http2', '--insecure'] }[way as string] ?? [];
    const curl = spawn('curl', ['-s', '-w', '%{stderr}%{http_code}', ...how, `${url}${route}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const psql = spawn('psql', ['-X', '-q', '-h', server.folder, '-p', `${server.port}`, '-U', 'postgres', database], {
      env: { ...process.env, PGPASSWORD: server.password },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let [said, status] = ['', ''];
    psql.stderr.on('data', (bytes: Buffer) => {
      said += bytes;
    });
    curl.stderr.on('data', (bytes: Buffer) => {
      status += bytes;
    });
    psql.stdin.on('error', () => curl.stdout.destroy());
    curl.stdout.pipe(psql.stdin);
    const [[curlCode], [psqlCode]] = await Promise.all([once(curl, 'close'), once(psql, 'close')]);
    return { curl: curlCode as number | null, status, psql: psqlCode as number | null, said };
  }

  async function tables(database: string): Promise<string> {
    return server.sql(
      database,
      `SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'`,
    );
  }

  /** Nothing of a download may go on after its end. */
  async function assertNothingRuns(): Promise<void> {
    await eventually(() => rig.controls.reading + rig.controls.children.size === 0, 'something runs on');
  }

  const FAILURES = {
    'a pack is damaged': async () => {
      await writeFile(original.file, damaged);
      return async () => writeFile(original.file, original.bytes);
    },
    'a child is killed': async () => {
      rig.controls.onBytes = (given, child) => {
        if (given > 1_000_000) process.kill(child, 'SIGKILL');
      };
      return async () => {
        rig.controls.onBytes = () => undefined;
      };
    },
    'the storage fails': async () => {
      rig.controls.onBytes = async (given) => {
        if (given > 1_000_000) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      };
      return async () => {
        rig.controls.onBytes = () => undefined;
      };
    },
  };

  for (const way of WAYS) {
    it(`leaves the database as it was, by ${way}, whatever failed`, async () => {
      for (const [what, fail] of Object.entries(FAILURES)) {
        for (const mode of what === 'a child is killed' ? ['create', 'replace'] : ['create']) {
          const mend = await fail();
          const database = mode === 'create' ? 'fresh' : 'app';
          const { curl, status, psql, said } = await piped(way, `/download/shop?mode=${mode}`, database);
          await mend();
          assert.notEqual(psql, 0, `${what}: psql`);
          // What is read ahead can fail before the first byte; the answer is whole then, and one that refuses.
          assert.ok(curl !== 0 || status.startsWith('5'), `${what}: curl ${curl} ${status}`);
          assert.notEqual(said, '', what);
          assert.equal(await tables(database), mode === 'create' ? '' : 'kept', what);
          await assertNothingRuns();
        }
      }
    });

    it(`is whole by ${way} where nothing fails`, async () => {
      const { curl, psql, said } = await piped(way, '/download/shop');
      assert.deepEqual({ curl, psql, said }, { curl: 0, psql: 0, said: '' });
      assert.equal(await server.sql('fresh', 'SELECT count(*), max(id) FROM shop_orders'), `${ROWS}|${ROWS - 1}`);
      await server.sql('fresh', 'DROP TABLE shop_orders');
    });
  }

  it('is told by psql, with the reason, where it is refused', async () => {
    for (const way of WAYS) {
      const { psql, said } = await piped(way, '/download/nothing');
      assert.equal(psql, 3, way);
      assert.match(said, /404 download-not-found/, way);
    }
  });
});
