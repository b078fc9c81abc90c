import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { HoldfastError } from '../src/core/errors.ts';
import { openS3ObjectSource } from '../src/storage/s3/s3-object-source.ts';
import { certificate } from './certificate.ts';
import { ElasticsearchServer } from './elasticsearch-server.ts';
import { endGpg, externalResource, externalService, gpgOf, PASSPHRASE, plainDump } from './external-rig.ts';
import { skipWithout } from './installed-programs.ts';
import { gather } from './managed-application.ts';
import { ACCESS_KEY, MinioServer, SECRET_KEY, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { S3Proxy } from './s3-proxy.ts';
import { VaultServer } from './vault-server.ts';

const { signal } = new AbortController();
const warn = () => undefined;
const ROWS = 200_000;

/** The set-up that this came from: an index of backups, a passphrase in Vault, objects in S3, GnuPG. */
describe('an index in Elasticsearch, a passphrase in Vault, objects in S3, encrypted by GnuPG', {
  skip: SKIP_WITHOUT_MINIO || skipWithout({ gpg: 'gnupg', openssl: 'openssl' }),
}, () => {
  let place: string;
  let minio: MinioServer;
  let client: S3Client;
  let proxy: S3Proxy;
  let bucket: string;
  let index: ElasticsearchServer;
  let vault: VaultServer;
  let secrets: Record<string, string>;
  let service: ReturnType<typeof externalService>;

  before(async () => {
    place = mkdtempSync(path.join(tmpdir(), 'external-seed-'));
    minio = await MinioServer.start();
    bucket = await minio.createBucket();
    client = await minio.client();
    proxy = await S3Proxy.to(minio.port);
    index = await new ElasticsearchServer().start();
    vault = await new VaultServer().start();
    vault.secrets.set('secret/backups/shop', { passphrase: PASSPHRASE });
    index.authorization = `Basic ${Buffer.from('reader:index-password').toString('base64')}`;
    secrets = {
      'env:INDEX_PASSWORD': 'index-password',
      'env:SECRET_ID': vault.secretId,
      'env:S3_KEY': ACCESS_KEY,
      'env:S3_SECRET': SECRET_KEY,
    };
    for (const day of ['17', '18', '19']) {
      await put(`web1/2026-11-${day}/shop.sql.gpg`, gpgOf(plainDump(`day ${day}`, ROWS), path.join(place, 'gnupg')));
      index.documents.set(`run-${day}`, documentOf(`2026-11-${day}T03:00:12.345Z`, `web1/2026-11-${day}/shop.sql.gpg`));
    }
    // As the tool that writes them logs a failed run: without a time.
    const { '@timestamp': _time, ...failed } = documentOf('2026-11-20T03:00:12.345Z', 'web1/2026-11-20/shop.sql.gpg');
    index.documents.set('run-20', failed);
    index.documents.set('blog', documentOf('2026-11-20T04:00:00Z', 'web1/2026-11-20/blog.sql.gpg', 'blog'));
  });

  after(async () => {
    endGpg(path.join(place, 'gnupg'));
    client.destroy();
    await Promise.all([proxy.close(), index.close(), vault.close(), minio.remove()]);
    rmSync(place, { recursive: true, force: true });
  });

  beforeEach(() => {
    index.instead = undefined;
    index.failedShards = 0;
    index.timedOut = false;
    proxy.fault = () => undefined;
    service = seedService();
  });

  function documentOf(time: string, key: string, id = 'shop'): Record<string, unknown> {
    return {
      '@timestamp': time,
      source: { id, type: 'postgresql' },
      stats: { dumpedfiles: [`s3://${bucket}/${key}`], dumptime: 12.3, encrypttime: 1.2, size: 123 },
    };
  }

  async function put(key: string, content: Uint8Array): Promise<void> {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
  }

  function seedService(more: Record<string, string> = {}) {
    const all = { ...secrets, ...more };
    const resolve = async (reference: string) => {
      const secret = all[reference];
      if (secret === undefined) throw new Error(`${reference} is not set`);
      return secret;
    };
    const { endpoint } = proxy;
    const options = { bucket, endpoint, accessKeyId: 'env:S3_KEY', secretAccessKey: 'env:S3_SECRET' };
    return externalService(all, { openBucket: () => openS3ObjectSource({ ...options, attempts: 3 }, resolve) });
  }

  function seed(source: Record<string, unknown> = {}, change: Record<string, unknown> = {}) {
    return externalResource({
      source: {
        kind: 'elasticsearch',
        hosts: [index.url],
        id: 'shop',
        authentication: { kind: 'basic', user: 'reader', password: 'env:INDEX_PASSWORD' },
        ...source,
      },
      objects: {
        kind: 's3',
        bucket,
        endpoint: proxy.endpoint,
        accessKeyId: 'env:S3_KEY',
        secretAccessKey: 'env:S3_SECRET',
      },
      passphrase: {
        vault: {
          address: vault.url,
          login: { kind: 'approle', roleId: vault.roleId, secretId: 'env:SECRET_ID' },
          path: 'backups/shop',
        },
      },
      ...change,
    });
  }

  const list = async (resource: ReturnType<typeof seed>, limit = 100) =>
    (await service.externalSnapshots?.list(resource, { limit, signal })) ?? [];

  const open = async (resource: ReturnType<typeof seed>, at = 0) => {
    const snapshot = (await list(resource))[at];
    assert.ok(snapshot && service.externalSnapshots);
    return service.externalSnapshots.open(resource, snapshot, { signal, warn });
  };

  async function failure(work: () => Promise<unknown>): Promise<{ code: string; message: string; reason: string }> {
    const error = await work().then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown as HoldfastError,
    );
    let reason = '';
    for (let each: unknown = error.cause; each instanceof Error; each = each.cause) reason += `${each.message} `;
    for (const secret of [...Object.values(secrets), PASSPHRASE])
      assert.equal(`${error.message} ${reason}`.includes(secret), false, 'no secret is told');
    assert.doesNotMatch(error.message, /127\.0\.0\.1|web1\//, 'a developer is told no address and no path');
    return { code: error.code, message: error.message, reason };
  }

  it('are listed newest first, without runs that failed, and asked for as documented', async () => {
    const listed = await list(seed());
    assert.deepEqual(
      listed.map(({ createdAt }) => createdAt),
      ['19', '18', '17'].map((day) => `2026-11-${day}T03:00:12.345Z`),
    );
    const asked = index.asked.at(-1);
    assert.deepEqual([asked?.method, asked?.path], ['POST', '/backups-*/_search']);
    assert.deepEqual(asked?.body, {
      size: 100,
      track_total_hits: false,
      _source: ['@timestamp', 'stats.dumpedfiles'],
      query: { bool: { filter: [{ match: { 'source.id.keyword': 'shop' } }, { exists: { field: '@timestamp' } }] } },
      sort: [{ '@timestamp': { order: 'desc', unmapped_type: 'date' } }],
    });
    assert.deepEqual((await list(seed(), 1)).length, 1);
  });

  it('are given decrypted, the latest and older ones', async () => {
    const material = await open(seed());
    assert.deepEqual([material.format, material.dialect], ['sql', 'postgresql']);
    assert.ok((await gather(material.bytes())).equals(plainDump('day 19', ROWS)));
    assert.ok((await gather((await open(seed(), 2)).bytes())).equals(plainDump('day 17', ROWS)));
  });

  it('are given whole over connections that break in the middle', async () => {
    let cuts = 0;
    proxy.fault = ({ method, url }) =>
      method === 'GET' && url.includes('shop.sql') && cuts++ < 3 ? { kind: 'answer-cut', after: 300_000 } : undefined;
    const material = await open(seed());
    assert.ok((await gather(material.bytes())).equals(plainDump('day 19', ROWS)));
    assert.ok(cuts >= 3);
  });

  it('are asked of the next host where one is down, answers badly or knows only a part', async () => {
    const bad = await new ElasticsearchServer().start();
    try {
      for (const broken of [{ status: 503, body: { error: 'busy' } }, 'hang-up', { status: 200, body: [] }] as const) {
        bad.instead = broken;
        const hosts = ['http://127.0.0.1:9', bad.url, index.url];
        assert.equal((await list(seed({ hosts }))).length, 3);
      }
      bad.instead = undefined;
      bad.failedShards = 1;
      assert.equal((await list(seed({ hosts: [bad.url, index.url] }))).length, 3);
      const { code, reason } = await failure(() => list(seed({ hosts: [bad.url] })));
      assert.equal(code, 'external-finding-failed');
      assert.match(reason, /shards/);
      bad.failedShards = 0;
      bad.timedOut = true;
      assert.match((await failure(() => list(seed({ hosts: [bad.url] })))).reason, /out of time/);
    } finally {
      await bad.close();
    }
  });

  it('are found by names of another index, by an API key, and by the other shape of documents', async () => {
    const runs = await new ElasticsearchServer().start();
    runs.authorization = 'ApiKey the-key';
    const run = (day: string, status: string) => ({
      ...{ run_id: day, job_name: 'shop', agent_id: 'web1', status, start_time: `2026-11-${day}T02:00:00Z` },
      ...{ end_time: `2026-11-${day}T02:30:00Z`, bytes_backed_up: 5, encrypted: true },
      location: { url: `s3://${bucket}/web1/2026-11-${day}/shop.sql.gpg` },
    });
    runs.documents.set('1', run('18', 'success'));
    runs.documents.set('2', run('19', 'failed'));
    try {
      service = seedService({ 'env:KEY': 'the-key' });
      const source = {
        ...{ hosts: [runs.url], shape: 'runs', fields: { url: 'location.url' } },
        authentication: { kind: 'apiKey', key: 'env:KEY' },
      };
      assert.deepEqual(
        (await list(seed(source))).map(({ createdAt, storedSize }) => [createdAt, storedSize]),
        [['2026-11-18T02:30:00.000Z', 5]],
      );
    } finally {
      await runs.close();
    }
  });

  it('over TLS are believed by an authority that is known alone', async () => {
    const tls = certificate(place);
    const secure = await new ElasticsearchServer().start(tls);
    try {
      assert.match((await failure(() => list(seed({ hosts: [secure.url] })))).reason, /self-signed/);
      assert.equal(secure.asked.length, 0, 'no credentials are sent before');
      const caFile = path.join(place, 'certificate.pem');
      assert.deepEqual(await list(seed({ hosts: [secure.url], caFile })), []);
    } finally {
      await secure.close();
    }
  });

  it('fail by steps that have names, with the reason for the operator alone', async () => {
    service = seedService({ 'env:INDEX_PASSWORD': 'wrong' });
    const finding = await failure(() => list(seed()));
    assert.equal(finding.code, 'external-finding-failed');
    assert.match(finding.reason, /refused the credentials \(401/);

    service = seedService();
    vault.secrets.delete('secret/backups/shop');
    const passphrase = await failure(() => open(seed()));
    assert.equal(passphrase.code, 'external-passphrase-failed');
    assert.match(passphrase.reason, /no secret at secret\/data\/backups\/shop/);
    vault.secrets.set('secret/backups/shop', { passphrase: 'wrong' });
    assert.equal((await failure(() => open(seed()))).code, 'external-key-wrong');
    vault.secrets.set('secret/backups/shop', { passphrase: PASSPHRASE });

    index.documents.set('gone', documentOf('2026-11-21T03:00:00Z', 'web1/2026-11-21/shop.sql.gpg'));
    const gone = await failure(() => open(seed()));
    assert.equal(gone.code, 'external-object-failed');
    index.documents.set('gone', documentOf('2026-11-21T03:00:00Z', '../other/shop.sql.gpg'));
    assert.match((await failure(() => open(seed()))).reason, /not in the bucket/);
    index.documents.set('gone', {
      ...documentOf('2026-11-21T03:00:00Z', ''),
      stats: { dumpedfiles: ['s3://another-bucket/web1/shop.sql.gpg'] },
    });
    assert.match((await failure(() => list(seed()))).reason, /not in the bucket/);
    index.documents.set('gone', {
      ...documentOf('2024-11-21T03:00:00Z', ''),
      stats: { dumpedfiles: ['s3://bucket-of-long-ago/web1/shop.sql.gpg'] },
    });
    assert.ok(
      (await list(seed())).every(({ createdAt }) => createdAt > '2025'),
      'an older place hides nothing newer',
    );
    index.documents.delete('gone');

    service = seedService({ 'env:S3_SECRET': 'wrong' });
    const refused = await failure(() => open(seed()));
    assert.equal(refused.code, 'external-object-failed');
    assert.match(refused.reason, /credentials|SignatureDoesNotMatch/);
  });

  it('end with an error where the object was cut or changed', async () => {
    const whole = gpgOf(plainDump('cut', ROWS), path.join(place, 'gnupg'));
    const time = '2026-11-22T03:00:00Z';
    index.documents.set('cut', documentOf(time, 'web1/cut.sql.gpg'));
    await put('web1/cut.sql.gpg', whole.subarray(0, whole.length - 1000));
    assert.equal((await failure(async () => gather((await open(seed())).bytes()))).code, 'external-backup-damaged');
    const changed = Buffer.from(whole);
    changed[Math.floor(changed.length / 2)]! ^= 1;
    await put('web1/cut.sql.gpg', changed);
    assert.equal((await failure(async () => gather((await open(seed())).bytes()))).code, 'external-backup-damaged');
    index.documents.delete('cut');
  });

  it('are tested step by step, and each step that fails says why', async () => {
    const resource = seed();
    const checks = async () =>
      (await service.test?.({ configuration: resource.configuration, resource, signal }))?.map(
        ({ name, outcome }) => `${name}: ${outcome}`,
      );
    assert.deepEqual(await checks(), ['finding: ok', 'passphrase: ok', 'object: ok', 'decryption: ok']);
    vault.loginsLeft = 0;
    service = seedService();
    assert.deepEqual(await checks(), ['finding: ok', 'passphrase: failed', 'object: ok', 'decryption: failed']);
    vault.loginsLeft = 100;
    index.instead = { status: 503, body: {} };
    assert.deepEqual(await checks(), ['finding: failed', 'passphrase: ok', 'object: skipped', 'decryption: skipped']);
  });
});
