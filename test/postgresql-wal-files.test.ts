import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { giveToServer, spawnAsServer, WalCluster } from './postgresql-wal-cluster.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

const STARTER = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A data folder that belongs to the account that servers run as, and the command line that works on it. */
class CommandLine {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<CommandLine> {
    const line = new CommandLine(await mkdtemp(path.join(tmpdir(), 'holdfast-wal-')));
    giveToServer(line.folder);
    const made = await line.run(['backup', '--stdin', '--resource', 'first'], 'x');
    assert.equal(made.code, 0, made.stderr);
    const catalogue = await openSqliteCatalogue({ file: path.join(line.data, 'catalogue.sqlite') });
    const now = new Date().toISOString();
    const about = { type: 'postgresql', service: 'postgresql-physical', configuration: {}, repositoryId: 'default' };
    await catalogue.resources.put({ id: 'shop', ...about, createdAt: now, updatedAt: now });
    await catalogue.close();
    giveToServer(line.folder);
    return line;
  }

  get data(): string {
    return path.join(this.folder, 'data');
  }

  /** For `archive_command` and `restore_command`. */
  command(words: string): string {
    return `${process.execPath} ${STARTER} --data ${this.data} ${words}`;
  }

  async run(words: readonly string[], input = ''): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
    const env = { PATH: process.env.PATH, HOME: this.folder };
    const child = spawnAsServer(process.execPath, [STARTER, '--data', this.data, ...words], env);
    child.stdin.end(input);
    const ended = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    return { code: (await ended)[0], stdout, stderr };
  }
}

describe('WAL files by archive_command and restore_command', { skip: SKIP_REASON || SKIP_CLOSED_CHECKOUT }, () => {
  let line: CommandLine;
  let cluster: WalCluster;
  const others: WalCluster[] = [];
  before(async () => {
    line = await CommandLine.create();
    cluster = await WalCluster.create(
      [
        'archive_mode = on',
        `archive_command = '${line.command('wal-push --resource shop %p')}'`,
        'max_wal_size = 1GB',
        'wal_keep_size = 500MB',
        'track_commit_timestamp = on',
      ],
      ['--wal-segsize=1'],
    );
    await cluster.query('CREATE TABLE rows (id bigserial, at timestamptz DEFAULT clock_timestamp(), text text)');
  });
  after(async () => {
    for (const each of [cluster, ...others]) await each?.remove();
    await rm(line.folder, { recursive: true, force: true });
  });

  /** The name of the last segment with something in it, which is in the log then. */
  const archived = async () => {
    await cluster.query(`INSERT INTO rows (text) VALUES ('one more')`);
    const [row] = await cluster.query<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
    await eventually(async () => {
      const [state] = await cluster.query('SELECT last_archived_wal AS name FROM pg_stat_archiver');
      return (state?.name ?? '') >= (row?.name ?? '');
    }, `${row?.name} was not archived`);
    return row?.name ?? '';
  };

  const recover = async (from: WalCluster, settings: readonly string[]) => {
    const target = await from.duplicate();
    others.push(target);
    await target.configure([
      ...['archive_mode = off', "recovery_target_action = 'promote'"],
      `restore_command = '${line.command('wal-get --resource shop %f %p')}'`,
      ...settings,
    ]);
    await target.signal('recovery');
    await target.start();
    await eventually(async () => {
      const [state] = await target.query<{ over: boolean }>('SELECT NOT pg_is_in_recovery() AS over');
      return state?.over === true;
    }, 'the recovery did not end');
    return target;
  };

  test('a recovery to each of five random moments has exactly the rows that were committed by then', async () => {
    const copy = await cluster.copy(['-X', 'none']);
    others.push(copy);
    const client = await cluster.connect();
    for (const end = Date.now() + 6000; Date.now() < end; await pause(2))
      await client.query(`INSERT INTO rows (text) VALUES (repeat(md5(random()::text), 300))`);
    const commits = await client.query<{ id: string; at: string }>(
      'SELECT id::text, pg_xact_commit_timestamp(xmin)::text AS at FROM rows ORDER BY rows.id',
    );
    await client.end();
    await archived();
    const chosen = Array.from({ length: 5 }, () => commits.rows[Math.floor(Math.random() * commits.rows.length)]);
    for (const moment of chosen) {
      const target = await recover(copy, [`recovery_target_time = '${moment?.at}'`]);
      const expected = commits.rows.filter(({ at }) => at <= (moment?.at ?? '')).map(({ id }) => id);
      const found = await target.query<{ id: string }>('SELECT id::text FROM rows ORDER BY rows.id');
      assert.deepEqual(
        found.map(({ id }) => id),
        expected,
        `at ${moment?.at}`,
      );
      await target.stop();
    }
  });

  test('a file that is not in the log is code 1 and one line, and what is wrong is a code that stops the recovery', async () => {
    const destination = path.join(line.folder, 'fetched');
    const get = (...words: string[]) => line.run(['wal-get', ...words]);
    const absent = await get('--resource', 'shop', '00000009.history', destination);
    assert.equal(absent.code, 1);
    assert.equal(absent.stderr, 'The log of "shop" has no 00000009.history.\n');
    assert.equal((await get('--resource', 'shop', '0000000100000000000000FF', destination)).code, 1);
    assert.equal((await get('--resource', 'shpo', '000000010000000000000001', destination)).code, 255);
    assert.equal((await get('--resource', 'shop', '../secret', destination)).code, 255);
    assert.equal((await get('--resource', 'shop', '--nonsense', destination)).code, 255);
    assert.equal((await get('--resource', 'shop', '000000010000000000000001')).code, 255);
    await assert.rejects(stat(destination), { code: 'ENOENT' });
  });

  test('a file is pushed again with success where its bytes are the same, and refused where they differ', async () => {
    const name = await archived();
    const file = path.join(cluster.data, 'pg_wal', name);
    const push = (source: string) => line.run(['wal-push', '--resource', 'shop', source]);
    const pushed = await push(file);
    assert.deepEqual([pushed.code, pushed.stderr], [0, '']);
    const other = path.join(line.folder, name);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = 77;
    await writeFile(other, bytes);
    giveToServer(other);
    const refused = await push(other);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`has another ${name}`));
    bytes.writeBigUInt64LE(7n, 24);
    await writeFile(other, bytes);
    assert.match((await push(other)).stderr, /is of the cluster 7, not of \d{19}/);
    const odd = path.join(line.folder, 'postgresql.conf');
    await writeFile(odd, 'x');
    giveToServer(odd);
    assert.match((await push(odd)).stderr, /is no file of the WAL/);
    const fetched = path.join(line.folder, 'fetched');
    assert.equal((await line.run(['wal-get', '--resource', 'shop', name, fetched])).code, 0);
    assert.ok((await readFile(fetched)).equals(await readFile(file)));
    assert.deepEqual(
      (await readdir(line.folder)).filter((each) => each.endsWith('.holdfast')),
      [],
    );
    await rm(fetched);
    const written = await line.run(['wal-get', '--resource', 'shop', name, '-']);
    assert.equal(written.code, 0);
    assert.ok(written.stdout.equals(await readFile(file)));
    const none = await line.run(['wal-get', '--resource', 'shop', '00000009.history', '-']);
    assert.deepEqual([none.code, none.stdout.length], [1, 0]);
  });

  test('damage in the repository stops the recovery, and leaves nothing where the file was to be', async () => {
    const name = await archived();
    const packs = path.join(line.data, 'repository', 'packs');
    const before = new Map<string, Buffer>();
    for (const entry of await readdir(packs, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      const bytes = await readFile(file);
      before.set(file, Buffer.from(bytes));
      for (let at = 100; at < bytes.length; at += 4096) bytes[at] = (bytes[at] ?? 0) ^ 1;
      await chmod(file, 0o644);
      await writeFile(file, bytes);
    }
    assert.ok(before.size > 0);
    const destination = path.join(line.folder, 'damaged');
    const { code, stderr } = await line.run(['wal-get', '--resource', 'shop', name, destination]);
    assert.equal(code, 255, stderr);
    assert.match(stderr, /damage/i);
    assert.deepEqual(
      (await readdir(line.folder)).filter((each) => each.startsWith('damaged')),
      [],
    );
    for (const [file, bytes] of before) await writeFile(file, bytes);
  });

  test('segments that follow are fetched along, and the next call finds them', async () => {
    for (let count = 0; count < 3; count++) await archived();
    const [first, second] = (await readdir(path.join(cluster.data, 'pg_wal')))
      .filter((each) => each.length === 24)
      .sort();
    const folder = await mkdtemp(path.join(line.folder, 'pg_wal-'));
    giveToServer(folder);
    const destination = path.join(folder, 'RECOVERYXLOG');
    await line.run(['wal-get', '--resource', 'shop', String(first), destination, '--prefetch', '2']);
    const along = path.join(folder, 'holdfast-prefetch', 'shop');
    assert.equal((await readdir(along)).length, 2);
    assert.equal((await line.run(['wal-get', '--resource', 'shop', String(second), destination])).code, 0);
    assert.ok((await readFile(destination)).equals(await readFile(path.join(cluster.data, 'pg_wal', String(second)))));
    assert.equal((await readdir(along)).length, 1);
    assert.equal((await line.run(['wal-get', '--resource', 'shop', '0000000100000000000000FF', destination])).code, 1);
    await assert.rejects(readdir(along), { code: 'ENOENT' });
  });
});
