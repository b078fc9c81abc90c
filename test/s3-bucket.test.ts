import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, beforeEach, describe, test } from 'node:test';
import { PutBucketVersioningCommand, PutObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { Bucket } from '../src/storage/s3/bucket.ts';
import type { S3ClientOptions } from '../src/storage/s3/s3-client.ts';
import { openStorage } from '../src/storage/s3/s3-storage.ts';
import { MinioServer, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { S3Proxy } from './s3-proxy.ts';

const fromEnvironment = async (reference: string): Promise<string> => process.env[reference.slice(4)] ?? '';

describe('a bucket', { skip: SKIP_WITHOUT_MINIO }, () => {
  let minio: MinioServer;
  let proxy: S3Proxy;
  let name: string;
  before(async () => {
    minio = await MinioServer.start();
    proxy = await S3Proxy.to(minio.port);
    name = await minio.createBucket();
  });
  beforeEach(() => proxy.reset());
  after(async () => {
    await proxy?.close();
    await minio?.remove();
  });

  const open = (more: Partial<S3ClientOptions> = {}): Promise<Bucket> =>
    Bucket.open(minio.options(name, { endpoint: proxy.endpoint, ...more }), fromEnvironment);

  test('streams an object from any place, over connections that break again and again', async (context) => {
    const bucket = await open();
    context.after(() => bucket.close());
    const bytes = randomBytes(3_000_000);
    await bucket.put('odd/key with spaces, ümlauts & <marks>+%', bytes);
    let gets = 0;
    proxy.fault = ({ method }) =>
      method === 'GET' && gets++ < 6 ? { kind: 'answer-cut', after: 400_000, fin: gets % 2 === 0 } : undefined;
    const opened = await bucket.open('odd/key with spaces, ümlauts & <marks>+%');
    assert.equal(opened.size, bytes.length);
    assert.ok(Math.abs((opened.lastModified?.getTime() ?? 0) - Date.now()) < 60_000);
    assert.ok((await buffer(opened.body)).equals(bytes));
    assert.equal(gets, 7);
    const rest = await bucket.open('odd/key with spaces, ümlauts & <marks>+%', { offset: 2_999_990 });
    assert.ok((await buffer(rest.body)).equals(bytes.subarray(2_999_990)));
    const keys: string[] = [];
    for await (const page of bucket.list('odd/')) for (const { key } of page) keys.push(key);
    assert.deepEqual(keys, ['odd/key with spaces, ümlauts & <marks>+%']);
    await assert.rejects(bucket.open('absent'), { code: 'object-missing' });
  });

  test('a stream that is given up, at any time, frees its connection', async (context) => {
    const bucket = await open({ sockets: 1 });
    context.after(() => bucket.close());
    const bytes = randomBytes(5_000_000);
    await bucket.put('given-up', bytes);
    (await bucket.open('given-up')).body.destroy();
    const started = await bucket.open('given-up');
    for await (const _piece of started.body) break;
    const abort = new AbortController();
    const aborted = await bucket.open('given-up', { signal: abort.signal });
    abort.abort(new Error('enough'));
    await assert.rejects(buffer(aborted.body), /enough|aborted/);
    assert.ok((await bucket.read('given-up')).equals(bytes));
  });

  test('an object that is replaced in the middle of a stream fails it', async (context) => {
    const bucket = await open();
    context.after(() => bucket.close());
    await bucket.put('replaced', Buffer.alloc(3_000_000, 'a'));
    let gets = 0;
    proxy.fault = ({ method }) =>
      method === 'GET' && gets++ === 0 ? { kind: 'answer-cut', after: 500_000 } : undefined;
    const opened = await bucket.open('replaced');
    const direct = await Bucket.open(minio.options(name), fromEnvironment);
    await direct.put('replaced', Buffer.alloc(3_000_000, 'b'));
    direct.close();
    await assert.rejects(buffer(opened.body), { code: 'object-changed' });
  });

  test('is listed whole over several pages', async (context) => {
    const bucket = await Bucket.open(minio.options(name, { sockets: 64 }), fromEnvironment);
    context.after(() => bucket.close());
    const expected = Array.from({ length: 1005 }, (_, n) => `pages/${n}`).toSorted();
    await Promise.all(expected.map((key) => bucket.put(key, Buffer.from('x'))));
    const pages: number[] = [];
    const keys: string[] = [];
    for await (const page of bucket.list('pages/')) {
      pages.push(page.length);
      keys.push(...page.map(({ key }) => key));
    }
    assert.deepEqual(pages, [1000, 5]);
    assert.deepEqual(keys, expected);
  });

  test('that may only be read gives what is in it, and refuses to store', async (context) => {
    const writing = await openStorage({ ...minio.options(name), prefix: 'read-only' });
    await writing.putNew('there', Buffer.from('x'));
    await writing.close();
    proxy.fault = ({ method }) => (method === 'PUT' ? { kind: 'status', status: 403 } : undefined);
    const storage = await openStorage({ ...minio.options(name, { endpoint: proxy.endpoint }), prefix: 'read-only' });
    context.after(() => storage.close());
    assert.equal((await storage.get('there')).toString(), 'x');
    await assert.rejects(storage.putNew('new', Buffer.from('y')), { code: 'storage-denied' });
    await assert.rejects(storage.tryWriting?.() ?? Promise.resolve(), { code: 'storage-denied' });
  });

  test('with versions, or a default retention, holds a repository', async (context) => {
    const client = await minio.client();
    context.after(() => client.destroy());
    const versioned = await minio.createBucket();
    const versioning = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration: versioning }));
    const locked = await minio.createBucket({ objectLock: true });
    const retention = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } as const;
    const configuration = { ObjectLockEnabled: 'Enabled', Rule: retention } as const;
    await client.send(
      new PutObjectLockConfigurationCommand({ Bucket: locked, ObjectLockConfiguration: configuration }),
    );
    for (const bucket of [versioned, locked]) {
      const storage = await openStorage({ ...minio.options(bucket), uploadChecksums: bucket === locked });
      context.after(() => storage.close());
      assert.equal(await storage.putNew('packs/a', Buffer.from('x')), 'created');
      assert.equal(await storage.putNew('packs/a', Buffer.from('y')), 'exists');
      await storage.delete('packs/a');
      assert.deepEqual(await storage.list('packs/'), []);
      await assert.rejects(storage.get('packs/a'), { code: 'object-missing' });
    }
  });
});

describe('a bucket behind TLS', { skip: SKIP_WITHOUT_MINIO }, () => {
  let certificates: string;
  let minio: MinioServer;
  before(async () => {
    certificates = await mkdtemp(path.join(tmpdir(), 'holdfast-s3-tls-'));
    const subject = ['-subj', '/CN=holdfast-test', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const files = ['-keyout', path.join(certificates, 'private.key'), '-out', path.join(certificates, 'public.crt')];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject, ...files],
      { stdio: 'ignore' },
    );
    minio = await MinioServer.start(certificates);
  });
  after(async () => {
    await minio?.remove();
    await rm(certificates, { recursive: true, force: true });
  });

  test('is trusted where its authority is named, and never by itself', async (context) => {
    const caFile = path.join(certificates, 'public.crt');
    const usual = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    context.after(() => {
      if (usual === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = usual;
    });
    const untrusting = await openStorage({ ...minio.options('x') });
    context.after(() => untrusting.close());
    await assert.rejects(untrusting.get('config'), { code: 's3-tls-untrusted', message: /caFile/ });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    const again = await openStorage({ ...minio.options('x') });
    context.after(() => again.close());
    await assert.rejects(again.get('config'), { code: 's3-tls-untrusted' });
    for (const more of [{ caFile }, { verifyTls: false }]) {
      const storage = await openStorage({ ...minio.options('none-of-these'), ...more });
      context.after(() => storage.close());
      await assert.rejects(storage.get('config'), { code: 'bucket-missing' });
      const bytes = randomBytes(3_000_000);
      const client = await minio.client(more);
      const { CreateBucketCommand } = await import('@aws-sdk/client-s3');
      const bucket = `tls-${randomBytes(4).toString('hex')}`;
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      client.destroy();
      const whole = await openStorage({ ...minio.options(bucket), ...more });
      context.after(() => whole.close());
      const pending = whole.beginNew();
      pending.write(bytes);
      await pending.commit('large');
      assert.ok((await whole.get('large')).equals(bytes));
    }
  });
});
