import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startDownloads } from './download-rig.ts';
import { endGpg, externalService, finishedFile, gpgOf } from './external-rig.ts';
import { skipWithout } from './installed-programs.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const ROWS = 30_000;

describe('curl … | psql of what another tool encrypted', {
  skip: SKIP_REASON || skipWithout({ gpg: 'gnupg', curl: 'curl' }),
}, () => {
  let place: string;
  let server: PostgresqlServer;
  let dump: Buffer;

  before(async () => {
    place = mkdtempSync(path.join(tmpdir(), 'external-downloads-'));
    server = await PostgresqlServer.start();
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql(
      'shop',
      `CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT n, md5(n::text) FROM generate_series(1, ${ROWS}) n;`,
    );
    dump = Buffer.from(await server.dump('shop'), 'latin1');
  });

  after(async () => {
    endGpg(path.join(place, 'gnupg'));
    await server.remove();
    rmSync(place, { recursive: true, force: true });
  });

  /** @returns the exit code of psql, and what curl and psql wrote to standard error */
  function load(url: string, database: string): Promise<{ code: number; said: string }> {
    const { folder: PGHOST, port, password: PGPASSWORD } = server;
    const psql = path.join(server.programs, 'psql');
    const env = {
      ...{ PATH: process.env.PATH, HOME: place, PGHOST, PGPORT: String(port), PGUSER: 'postgres', PGPASSWORD },
      ...{ URL: url, PSQL: psql, PGDATABASE: database },
    };
    return new Promise((resolve) => {
      execFile('sh', ['-c', 'curl -sS "$URL" | "$PSQL" -X -q -o /dev/null'], { env }, (error, _stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, said: stderr }),
      );
    });
  }

  it('gives the latest, whole or not at all, and the same after it was adopted', async (t) => {
    const folder = path.join(place, 'backups');
    const whole = gpgOf(dump, path.join(place, 'gnupg'));
    finishedFile(path.join(folder, 'shop-2026-11-19.sql.gpg'), whole);
    const { url, application } = await startDownloads(t, {
      services: [externalService()],
    });
    const configuration = {
      source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.sql.gpg'] },
      objects: { kind: 'folder', folder },
      passphrase: 'env:PASSPHRASE',
    };
    await application.resources.put({ id: 'shop', service: 'external', configuration });
    const counted = async (database: string) => server.sql(database, 'SELECT count(*), max(name) FROM items');
    await server.sql('postgres', 'CREATE DATABASE copy1; CREATE DATABASE copy2; CREATE DATABASE copy3');
    assert.deepEqual(await load(`${url}/download/shop`, 'copy1'), { code: 0, said: '' });
    assert.equal(await counted('copy1'), await counted('shop'));

    const changed = Buffer.from(whole);
    changed[changed.length - 5000]! ^= 1;
    finishedFile(path.join(folder, 'shop-2026-11-20.sql.gpg'), changed);
    const broken = await load(`${url}/download/shop`, 'copy2');
    assert.notEqual(broken.code, 0, 'a backup that was tampered with does not load');
    assert.equal(await server.sql('copy2', "SELECT to_regclass('items') IS NULL"), 't');
    rmSync(path.join(folder, 'shop-2026-11-20.sql.gpg'));

    const { id } = await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' });
    assert.equal((await application.operations.wait(id, 60_000)).status, 'completed');
    const answer = await fetch(`${url}/snapshots`, { headers: { accept: 'application/json' } });
    const listed = (await answer.json()) as { id: string; createdAt: string; formats: string[] }[];
    assert.deepEqual(
      listed.map(({ id, createdAt, formats }) => [id.split('-')[0], createdAt, formats[0]]),
      [['backup', '2026-11-19T00:00:00.000Z', 'sql']],
      'what was adopted is listed once',
    );
    rmSync(path.join(folder, 'shop-2026-11-19.sql.gpg'));
    assert.deepEqual(await load(`${url}/download/shop`, 'copy3'), { code: 0, said: '' });
    assert.equal(await counted('copy3'), await counted('shop'));
  });

  it('tells psql the reason where the backup cannot be had, without where', async (t) => {
    const { url, application } = await startDownloads(t, {
      services: [externalService({ 'env:PASSPHRASE': 'wrong' })],
    });
    const folder = path.join(place, 'refused');
    finishedFile(path.join(folder, 'shop-2026-11-19.sql.gpg'), gpgOf(dump, path.join(place, 'gnupg')));
    const configuration = (from: string) => ({
      source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.sql.gpg'] },
      objects: { kind: 'folder', folder: from },
      passphrase: 'env:PASSPHRASE',
      content: 'postgresql',
    });
    await application.resources.put({ id: 'shop', service: 'external', configuration: configuration(folder) });
    const wrong = await load(`${url}/download/shop`, 'postgres');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.said, /cannot be decrypted/);
    const nowhere = path.join(place, 'nowhere');
    await application.resources.put({ id: 'lost', service: 'external', configuration: configuration(nowhere) });
    const lost = await load(`${url}/download/lost`, 'postgres');
    assert.notEqual(lost.code, 0);
    assert.match(lost.said, /The list of backups cannot be had/);
    assert.equal(lost.said.includes(place), false);
    const answer = await fetch(`${url}/snapshots`, { headers: { accept: 'application/json' } });
    const listed = (await answer.json()) as { resource: string }[];
    assert.deepEqual(
      listed.map(({ resource }) => resource),
      ['shop'],
      'a source that is down hides no other',
    );
  });
});
