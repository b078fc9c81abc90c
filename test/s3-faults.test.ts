import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { Bucket } from '../src/storage/s3/bucket.ts';
import { openStorage } from '../src/storage/s3/s3-storage.ts';
import { MinioServer, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { type Fault, S3Proxy } from './s3-proxy.ts';

describe('storage in a bucket behind a bad network', { skip: SKIP_WITHOUT_MINIO }, () => {
  let minio: MinioServer;
  let proxy: S3Proxy;
  let bucket: string;
  let storage: Storage;
  before(async () => {
    minio = await MinioServer.start();
    proxy = await S3Proxy.to(minio.port);
    bucket = await minio.createBucket();
    storage = await open({ idleSeconds: 1, attempts: 6 });
    await storage.putNew('first', Buffer.from('so that the server was tried'));
  });
  beforeEach(() => proxy.reset());
  after(async () => {
    await storage?.close();
    await proxy?.close();
    await minio?.remove();
  });

  const open = (more: Record<string, unknown>) =>
    openStorage({ ...minio.options(bucket, { endpoint: proxy.endpoint }), ...more });
  /** Meets the first `count` requests of a method. */
  const meets = (method: string, fault: Fault, count = 1) => {
    let met = 0;
    proxy.fault = (request) => (request.method === method && met++ < count ? fault : undefined);
  };

  test('an object that was made although its answer was lost is known as made by this call', async () => {
    for (const fault of [
      { kind: 'answer-lost' },
      { kind: 'answer-late', milliseconds: 2500 },
      { kind: 'answer-cut', after: -1 },
    ] as const) {
      meets('PUT', fault);
      const key = `lost/${fault.kind}`;
      assert.equal(await storage.putNew(key, Buffer.from('mine')), 'created', fault.kind);
      assert.ok(proxy.seen.filter(({ method }) => method === 'PUT').length >= 2);
      proxy.reset();
      assert.equal((await storage.get(key)).toString(), 'mine');
      // The same bytes of another call are another's.
      assert.equal(await storage.putNew(key, Buffer.from('mine')), 'exists');
    }
  });

  test('of two whose answers are lost, one made the object, and both know which', async () => {
    const other = await open({ attempts: 6 });
    for (let round = 0; round < 5; round++) {
      meets('PUT', { kind: 'answer-lost' }, 2);
      const key = `lost/race-${round}`;
      const outcomes = await Promise.all([
        storage.putNew(key, Buffer.from('same')),
        other.putNew(key, Buffer.from('same')),
      ]);
      assert.deepEqual(outcomes.toSorted(), ['created', 'exists']);
    }
    await other.close();
  });

  test('a conflict of two that create at one moment is tried again', async () => {
    meets('PUT', { kind: 'status', status: 409 });
    assert.equal(await storage.putNew('conflict', Buffer.from('x')), 'created');
  });

  test('an upload that is cut anywhere is made whole or not at all', async () => {
    const bytes = randomBytes(3_000_000);
    for (const after of [0, 1, 70_000, 1_500_000, 2_999_999]) {
      meets('PUT', { kind: 'request-cut', after });
      const pending = storage.beginNew();
      pending.write(bytes);
      assert.equal(await pending.commit(`cut/upload-${after}`), 'created');
      assert.ok((await storage.get(`cut/upload-${after}`)).equals(bytes));
    }
  });

  test('an upload that never comes through is an error, and nothing of it can be seen', async () => {
    const hasty = await open({ attempts: 2 });
    await hasty.get('first');
    for (const fault of [
      { kind: 'request-cut', after: 1000 },
      { kind: 'status', status: 503 },
      { kind: 'status', status: 500 },
    ] as const) {
      proxy.fault = ({ url }) => (url.includes('never') ? fault : undefined);
      await assert.rejects(hasty.putNew('never/whole', randomBytes(100_000)), isUnavailable);
    }
    proxy.reset();
    assert.deepEqual(await storage.list('never/'), []);
    await hasty.close();
  });

  test('a read that is cut anywhere goes on where it was', async () => {
    const bytes = randomBytes(2_000_000);
    await storage.putNew('cut/read', bytes);
    for (const fin of [false, true])
      for (const after of [-1, 0, 1, 100_000, 1_999_999]) {
        meets('GET', { kind: 'answer-cut', after, fin });
        assert.ok((await storage.get('cut/read')).equals(bytes), `${after}`);
        meets('GET', { kind: 'answer-cut', after: Math.min(after, 400_000), fin }, 3);
        const range = await storage.getRange('cut/read', 10, 1_234_567, Buffer.alloc(1_300_000));
        assert.ok(range.equals(bytes.subarray(10, 10 + 1_234_567)), `${after}`);
      }
  });

  test('a read that is cut again and again is an error, not fewer bytes', async () => {
    await storage.putNew('cut/always', randomBytes(1000));
    const hasty = await open({ attempts: 2 });
    proxy.fault = () => ({ kind: 'answer-cut', after: 0, fin: true });
    await assert.rejects(hasty.get('cut/always'), isUnavailable);
    await assert.rejects(hasty.getRange('cut/always', 0, 500), isUnavailable);
    await hasty.close();
  });

  test('an object that is replaced in the middle of a read comes whole, of one time', async () => {
    await storage.replace('replaced', Buffer.alloc(1_000_000, 'a'));
    let met = false;
    proxy.fault = ({ method }) => (method === 'GET' && !met ? { kind: 'answer-cut', after: 300_000 } : undefined);
    proxy.before = async ({ method, url }) => {
      if (method !== 'GET' || met || !url.includes('replaced')) return;
      met = true;
      setTimeout(() => void replaceDirectly('replaced', Buffer.alloc(1_000_000, 'b')), 0);
    };
    const text = (await storage.get('replaced')).toString();
    assert.ok(new Set(text).size === 1 && text.length === 1_000_000);
  });

  test('a storm of errors passes, as its Retry-After says', async () => {
    meets('PUT', { kind: 'status', status: 503, retryAfter: 1 }, 1);
    assert.equal(await storage.putNew('storm', Buffer.from('x')), 'created');
    meets('GET', { kind: 'status', status: 500 }, 3);
    assert.equal((await storage.get('storm')).toString(), 'x');
    meets('DELETE', { kind: 'status', status: 502 }, 3);
    await storage.delete('storm');
    await assert.rejects(storage.get('storm'), { code: 'object-missing' });
  });

  test('an answer that does not come in time is asked for again', async () => {
    await storage.putNew('late', Buffer.from('x'));
    meets('GET', { kind: 'answer-late', milliseconds: 2500 });
    assert.equal((await storage.get('late')).toString(), 'x');
  });

  test('a page of a listing that fails or is cut is asked for again, and a listing is never a part', async () => {
    for (let n = 0; n < 5; n++) await storage.putNew(`listed/${n}`, Buffer.from('x'));
    const hasty = await open({ attempts: 3 });
    const whole = (await hasty.list('listed/')).length;
    assert.equal(whole, 5);
    const cuts: Fault[] = [100, 400, 700, 1100].map((after) => ({ kind: 'answer-cut', after, fin: true }));
    // What stands between says that the part is all.
    const parts: Fault[] = [300, 700, 1100].map((after) => ({
      kind: 'other-answer',
      change: (body) => body.subarray(0, after),
    }));
    const fewer: Fault = {
      kind: 'other-answer',
      change: (body) => Buffer.from(body.toString().replace(/<Contents>.*?<\/Contents>/, '')),
    };
    const endless: Fault = {
      kind: 'other-answer',
      change: (body) => Buffer.from(body.toString().replace('<IsTruncated>false', '<IsTruncated>true')),
    };
    for (const fault of [...cuts, ...parts, fewer, endless, { kind: 'status', status: 500 } as const]) {
      meets('GET', fault, 2);
      assert.equal((await hasty.list('listed/')).length, 5, JSON.stringify(fault));
      proxy.fault = () => fault;
      await assert.rejects(hasty.list('listed/'), isUnavailable, JSON.stringify(fault));
    }
    await hasty.close();
  });

  test('a server that replaces in spite of If-None-Match is refused before anything is stored', async () => {
    const direct = await Bucket.open(minio.options(bucket), async (reference) => process.env[reference.slice(4)] ?? '');
    proxy.before = async ({ method, url, headers }) => {
      if (method === 'PUT' && headers['if-none-match'] !== undefined)
        await direct.delete(decodeURIComponent(url.split('?')[0]!.split('/').slice(2).join('/')));
    };
    const careless = await open({ prefix: 'careless' });
    await assert.rejects(careless.putNew('a', Buffer.from('x')), { code: 'storage-not-exclusive' });
    const pending = careless.beginNew();
    pending.write(Buffer.from('x'));
    await assert.rejects(pending.commit('b'), { code: 'storage-not-exclusive' });
    await assert.rejects(careless.tryWriting!(), { code: 'storage-not-exclusive' });
    proxy.before = undefined;
    meets('PUT', { kind: 'status', status: 501 });
    await assert.rejects(careless.putNew('a', Buffer.from('x')), { code: 'storage-not-exclusive' });
    for (const key of ['a', 'b']) await assert.rejects(careless.get(key), { code: 'object-missing' });
    await careless.close();
    direct.close();
  });

  test('connections are used again', async () => {
    const calm = await open({});
    await calm.putNew('calm', randomBytes(1_000_000));
    proxy.reset();
    for (let n = 0; n < 20; n++) await calm.getRange('calm', n * 1000, 50_000);
    assert.ok(proxy.connections <= 1, `${proxy.connections} connections`);
    await calm.close();
  });

  async function replaceDirectly(key: string, bytes: Buffer): Promise<void> {
    const direct = await openStorage({ ...minio.options(bucket) });
    await direct.replace(key, bytes);
    await direct.close();
  }
});

function isUnavailable(error: unknown): boolean {
  assert.ok(error instanceof HoldfastError, String(error));
  assert.equal(error.kind, 'unavailable', error.message);
  return true;
}
