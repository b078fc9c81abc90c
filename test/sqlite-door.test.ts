import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, stat, watch } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from './managed-application.ts';
import { Service, spawnHoldfast } from './service-process.ts';
import { FILLER, makeDatabase, query } from './sqlite-rig.ts';

describe('SQLite databases by HTTP and by command line', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let service: Service;
  let file: string;
  let backupId: string;

  before(async () => {
    place = await temporaryFolder();
    file = path.join(place.folder, 'shop.db');
    makeDatabase(file, "PRAGMA journal_mode=wal; CREATE TABLE orders (what TEXT); INSERT INTO orders VALUES ('tea')");
    service = await Service.start(path.join(place.folder, 'data'));
    const configuration = { path: file };
    await service.call('PUT', '/resources/shop-db', JSON.stringify({ service: 'sqlite', configuration }));
    const made = await holdfast(['backup', '--resource', 'shop-db']);
    backupId = (made.backup as { id: string }).id;
  });
  after(async () => {
    await service.end('SIGTERM');
    await place.remove();
  });

  async function holdfast(words: readonly string[], wanted = 0): Promise<Record<string, unknown>> {
    const child = spawnHoldfast([...words, '--json', '--data', path.join(place.folder, 'data')]);
    const ended = once(child, 'exit') as Promise<[number]>;
    const [said, complaints] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    assert.equal((await ended)[0], wanted, complaints);
    return JSON.parse(wanted === 0 ? said : (complaints.trim().split('\n').at(-1) ?? '')) as Record<string, unknown>;
  }

  test('the command line restores a database to a file, in place, and as bytes', async () => {
    const target = path.join(place.folder, 'target.db');
    await holdfast(['restore', backupId, '--target', target, '--dry-run']);
    await assert.rejects(stat(target), { code: 'ENOENT' });
    await holdfast(['restore', backupId, '--target', target]);
    assert.deepEqual(query(target, 'SELECT what FROM orders'), [{ what: 'tea' }]);
    makeDatabase(file, 'DELETE FROM orders');
    await holdfast(['restore', 'latest', '--resource', 'shop-db', '--in-place', '--conflict', 'overwrite']);
    assert.deepEqual(query(file, 'SELECT what FROM orders'), [{ what: 'tea' }]);
    const output = path.join(place.folder, 'output.db');
    await holdfast(['restore', backupId, '--output', output]);
    assert.deepEqual(query(output, 'SELECT what FROM orders'), [{ what: 'tea' }]);
  });

  test('the command line restores a database that is followed to a moment', async () => {
    const followed = path.join(place.folder, 'followed.db');
    makeDatabase(followed, 'PRAGMA journal_mode=wal; CREATE TABLE orders (what TEXT)');
    const configuration = { path: followed, log: { enabled: true, intervalSeconds: 0.2 } };
    await service.call('PUT', '/resources/followed', JSON.stringify({ service: 'sqlite', configuration }));
    await holdfast(['backup', '--resource', 'followed']);
    const moments: string[] = [];
    for (const what of ['tea', 'coffee', 'milk']) {
      const before = ((await service.call('GET', '/resources/followed/log')) as { to?: string }).to;
      makeDatabase(followed, `INSERT INTO orders VALUES ('${what}')`);
      for (let round = 0; ; round++) {
        const { to } = (await service.call('GET', '/resources/followed/log')) as { to?: string };
        if (to !== before) break;
        assert.ok(round < 1000, 'the change was not stored');
        await sleep(20);
      }
      moments.push(new Date().toISOString());
      await sleep(5);
    }
    const target = path.join(place.folder, 'as-it-was.db');
    await holdfast(['restore', 'latest', '--resource', 'followed', '--at', moments[1]!, '--target', target]);
    assert.deepEqual(query(target, 'SELECT what FROM orders'), [{ what: 'tea' }, { what: 'coffee' }]);
  });

  test('a stream that was posted has no place to be restored to', async () => {
    await service.upload('dump', Buffer.from('some bytes'));
    const target = path.join(place.folder, 'dump');
    const problem = await holdfast(['restore', 'latest', '--resource', 'dump', '--target', target], 2);
    assert.equal(problem.code, 'usage-output-missing');
  });

  test('a service that is killed in the midst of a restore leaves nothing beside the target', async () => {
    const large = path.join(place.folder, 'large.db');
    makeDatabase(large, `${FILLER} UPDATE filler SET content = hex(randomblob(1500))`);
    const configuration = { path: large };
    await service.call('PUT', '/resources/large-db', JSON.stringify({ service: 'sqlite', configuration }));
    const made = await holdfast(['backup', '--resource', 'large-db']);
    const folder = path.join(place.folder, 'restored');
    await mkdir(folder);
    const restore = {
      backupId: (made.backup as { id: string }).id,
      createdBy: 'test',
      options: { target: path.join(folder, 'large.db') },
    };
    const giveUp = AbortSignal.timeout(60_000);
    const events = watch(folder, { signal: giveUp })[Symbol.asyncIterator]();
    const begun = events.next();
    await service.call('POST', '/restore', JSON.stringify(restore));
    await begun;
    await service.end('SIGKILL');
    while ((await readdir(folder)).length > 0) await events.next();
    await events.return?.();
    service = await Service.start(path.join(place.folder, 'data'));
  });

  test('the API gives the database file, and says which field of a configuration is wrong', async () => {
    const bytes = await service.content(backupId);
    assert.equal(bytes.subarray(0, 15).toString(), 'SQLite format 3');
    const body = JSON.stringify({ service: 'sqlite', configuration: { path: 'shop.db' } });
    await assert.rejects(service.call('PUT', '/resources/relative', body), /configuration-invalid.*"field":"path"/);
  });
});
