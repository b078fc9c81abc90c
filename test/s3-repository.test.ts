import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { initialiseRepository } from '../src/repository/initialise-repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { decodeSettings } from '../src/repository/settings.ts';
import { openStorage as openFolder } from '../src/storage/local/local-storage.ts';
import { openStorage } from '../src/storage/s3/s3-storage.ts';
import { assertSound, forget, NOW, packBytes } from './collection-rig.ts';
import { eventually } from './eventually.ts';
import { MinioServer, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { type Fault, S3Proxy } from './s3-proxy.ts';
import { backUpBytes, keyOf, readBytes, SMALL } from './temporary-repository.ts';

const KEY = keyOf(randomBytes(32));

describe('a repository in a bucket', { skip: SKIP_WITHOUT_MINIO }, () => {
  let minio: MinioServer;
  let proxy: S3Proxy;
  let bucket: string;
  before(async () => {
    minio = await MinioServer.start();
    proxy = await S3Proxy.to(minio.port);
    bucket = await minio.createBucket();
  });
  after(async () => {
    await proxy?.close();
    await minio?.remove();
  });

  const storageAt = (prefix: string, more: Record<string, unknown> = {}): Promise<Storage> =>
    openStorage({ ...minio.options(bucket), prefix, ...more });
  const made = async (prefix: string): Promise<Repository> => {
    const storage = await storageAt(prefix);
    await initialiseRepository({ storage, provider: KEY, label: 'test', settings: SMALL });
    return openRepository({ storage, providers: [KEY], workers: 2 });
  };
  const openAgain = async (prefix: string, more: Record<string, unknown> = {}): Promise<Repository> =>
    openRepository({ storage: await storageAt(prefix, more), providers: [KEY], workers: 2 });

  test('keeps backups, gives them back to another process, and prunes beside writers', async (context) => {
    const repository = await made('whole');
    context.after(() => repository.close());
    const [kept, gone] = [randomBytes(900_000), randomBytes(900_000)];
    const first = await backUpBytes(repository, kept);
    const second = await backUpBytes(repository, gone);
    const again = await backUpBytes(repository, kept);
    const small = await backUpBytes(repository, Buffer.from('lies in its snapshot'));
    assert.equal(again.statistics.newBytes, 0);
    const other = await openAgain('whole');
    context.after(() => other.close());
    assert.ok((await readBytes(other, second.id)).equals(gone));
    await forget(repository, second.id);
    const storage = await storageAt('whole');
    context.after(() => storage.close());
    const before = await packBytes(storage);
    const during = Array.from({ length: 4 }, () => randomBytes(200_000));
    const [backups] = await Promise.all([
      Promise.all(during.map((bytes, n) => backUpBytes(n % 2 === 0 ? repository : other, bytes))),
      repository.collect(NOW),
      other.collect(NOW),
    ]);
    await other.collect(NOW);
    const left = await packBytes(storage);
    assert.ok(left < before + 4 * 210_000 - 800_000, `${left} bytes of packs, ${before} before`);
    for (const [index, { id }] of backups.entries())
      assert.ok((await readBytes(repository, id)).equals(during[index] ?? Buffer.alloc(0)));
    assert.ok((await readBytes(other, first.id)).equals(kept));
    assert.equal((await readBytes(other, small.id)).toString(), 'lies in its snapshot');
    await assertSound(other);
  });

  test('closes its packs early, because they are put together in memory', async (context) => {
    const storage = await storageAt('early');
    context.after(() => storage.close());
    await initialiseRepository({ storage, provider: KEY, label: 'test' });
    assert.equal(decodeSettings(await storage.get('config')).packs.data, 16 * 1024 * 1024);
  });

  test('changes its master key in place', async (context) => {
    const repository = await made('rotated');
    context.after(() => repository.close());
    const bytes = randomBytes(300_000);
    const { id } = await backUpBytes(repository, bytes);
    await repository.keys.rotate([KEY], { dropOthers: false });
    const fresh = await openAgain('rotated');
    context.after(() => fresh.close());
    assert.ok((await readBytes(fresh, id)).equals(bytes));
    await fresh.collect({ ...NOW, rewriteOldKeys: { bytesPerRound: 10_000_000, all: true } });
    assert.ok((await readBytes(fresh, id)).equals(bytes));
    await assertSound(fresh);
  });

  test('is copied to a folder and repaired from it, and copied back to another bucket', async (context) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-s3-copy-'));
    context.after(() => rm(folder, { recursive: true, force: true }));
    const source = await made('source');
    context.after(() => source.close());
    const bytes = randomBytes(1_500_000);
    const { id } = await backUpBytes(source, bytes);
    const small = await backUpBytes(source, Buffer.from('lies in its snapshot'));

    const local = await openFolder({ folder });
    await source.initialiseCopy({ storage: local, provider: KEY, label: 'copy', settings: COPY });
    const copy = await openRepository({ storage: local, providers: [KEY], workers: 2 });
    context.after(() => copy.close());
    assert.equal((await copy.copyFrom(source, { dryRun: false })).copied.length, 2);
    assert.ok((await readBytes(copy, id)).equals(bytes));

    const elsewhere = await storageAt('elsewhere');
    await copy.initialiseCopy({ storage: elsewhere, provider: KEY, label: 'second copy', settings: COPY });
    const back = await openRepository({ storage: elsewhere, providers: [KEY], workers: 2 });
    context.after(() => back.close());
    assert.equal((await back.copyFrom(copy, { dryRun: false })).copied.length, 2);
    assert.ok((await readBytes(back, id)).equals(bytes));

    const storage = await storageAt('source');
    context.after(() => storage.close());
    const [{ key } = { key: '' }] = (await storage.list('packs/')).toSorted((a, b) => b.size - a.size);
    const pack = await storage.get(key);
    pack.writeUInt8(pack.readUInt8(5000) ^ 1, 5000);
    await storage.replace(key, pack);
    await storage.delete(`snapshots/${small.id}`);
    const report = await source.repair({ dryRun: false, donors: [copy] });
    assert.deepEqual(report.incomplete, []);
    const mended = await openAgain('source');
    context.after(() => mended.close());
    assert.ok((await readBytes(mended, id)).equals(bytes));
  });

  test('is not harmed by a commit that comes to the server long after its writer gave up', async (context) => {
    const calm = await made('belated');
    context.after(() => calm.close());
    const kept = randomBytes(200_000);
    const { id } = await backUpBytes(calm, kept);
    const hasty = await openAgain('belated', { endpoint: proxy.endpoint, idleSeconds: 3, attempts: 1 });
    context.after(() => hasty.close());
    let land = (): void => undefined;
    const landing = new Promise<void>((resolve) => {
      land = resolve;
    });
    proxy.before = async ({ method, url }) => {
      if (method === 'PUT' && url.includes('/snapshots/')) await landing;
    };
    await assert.rejects(backUpBytes(hasty, randomBytes(400_000)), { kind: 'unavailable' });
    const storage = await storageAt('belated');
    context.after(() => storage.close());
    const before = await packBytes(storage);
    // As where its process has ended.
    for (const { key } of await storage.list('sessions/')) await storage.delete(key);
    await calm.collect(NOW);
    assert.ok((await packBytes(storage)) < before - 300_000, 'what nobody committed was collected');
    land();
    await eventually(async () => (await storage.list('snapshots/')).length === 2, 'the commit did not come');
    proxy.reset();
    const fresh = await openAgain('belated');
    context.after(() => fresh.close());
    assert.deepEqual(await fresh.listSnapshots(), [id]);
    await assertSound(fresh);
    await fresh.collect(NOW);
    assert.ok((await readBytes(fresh, id)).equals(kept));
    assert.equal((await storage.list('snapshots/')).length, 1);
  });

  test('holds every backup that was reported complete, whatever happened to requests and answers', async (context) => {
    const calm = await made('torn');
    context.after(() => calm.close());
    let requests = 0;
    let met = 0;
    let isLost = false;
    let on = false;
    proxy.fault = ({ method, url }) => {
      if (!on) return undefined;
      if (!isLost && method === 'PUT' && url.includes('/packs/')) {
        isLost = true;
        return { kind: 'answer-lost' };
      }
      // What happens is left to chance, how often is not.
      if (++requests % 8 !== 0) return undefined;
      met++;
      return faultFor(method);
    };
    const torn = await openAgain('torn', { endpoint: proxy.endpoint, idleSeconds: 2, attempts: 8 });
    context.after(async () => {
      proxy.reset();
      await torn.close();
    });
    on = true;
    const stored = new Map<string, Buffer>();
    let failed = 0;
    const one = async (bytes: Buffer) => {
      try {
        stored.set((await backUpBytes(torn, bytes)).id, bytes);
      } catch (error) {
        assert.ok(error instanceof HoldfastError && error.kind === 'unavailable', String(error));
        failed++;
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(Array.from({ length: 6 }, () => one(randomBytes(Math.floor(Math.random() * 600_000)))));
      const [id, bytes] = [...stored].at(Math.floor(Math.random() * stored.size)) ?? [];
      if (id !== undefined && bytes !== undefined)
        assert.ok((await readBytes(torn, id)).equals(bytes), 'read behind it');
    }
    assert.ok(met > 20, `${met} faults`);
    on = false;
    const fresh = await openAgain('torn');
    context.after(() => fresh.close());
    for (const [id, bytes] of stored) assert.ok((await readBytes(fresh, id)).equals(bytes), id);
    assert.ok(stored.size > failed, `${stored.size} stored, ${failed} failed`);
    await assertSound(fresh);
    const asked = new Set(proxy.seen.map(({ method, url }) => (url.includes('list-type=2') ? 'list' : method)));
    assert.deepEqual(
      [...asked].sort(),
      ['DELETE', 'GET', 'HEAD', 'PUT', 'list'],
      'what docs/s3.md says must be allowed',
    );
  });
});

const COPY = { cipher: 'aes-256-gcm', codec: { name: 'zstd', level: 3 } } as const;
const ROUNDS = 4;

function faultFor(method: string): Fault {
  const after = Math.floor(Math.random() * 200_000) - 1;
  const faults: Fault[] = [
    { kind: 'answer-cut', after: Math.random() < 0.3 ? -1 : after, fin: Math.random() < 0.5 },
    { kind: 'answer-lost' },
    { kind: 'status', status: Math.random() < 0.5 ? 500 : 503 },
    ...(method === 'PUT' ? [{ kind: 'request-cut', after: Math.max(after, 0) } as const] : []),
    ...(Math.random() < 0.2 ? [{ kind: 'answer-late', milliseconds: 3000 } as const] : []),
  ];
  return faults[Math.floor(Math.random() * faults.length)] as Fault;
}
