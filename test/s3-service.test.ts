import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CommandLine, commandLine, filesBelow } from './command-line.ts';
import { eventually } from './eventually.ts';
import { ACCESS_KEY, MinioServer, SECRET_KEY, SKIP_WITHOUT_MINIO } from './minio-server.ts';
import { Service } from './service-process.ts';

describe('holdfast with buckets', { skip: SKIP_WITHOUT_MINIO, concurrency: 2 }, () => {
  let minio: MinioServer;
  before(async () => {
    minio = await MinioServer.start();
  });
  after(() => minio?.remove());

  const placeIn = (bucket: string, prefix: string) =>
    JSON.stringify({
      bucket,
      prefix,
      endpoint: minio.endpoint,
      accessKeyId: 'env:TEST_S3_ACCESS_KEY',
      secretAccessKey: 'env:TEST_S3_SECRET_KEY',
    });
  const configure = (holdfast: CommandLine, text: string) =>
    writeFile(path.join(holdfast.folder, 'holdfast.yaml'), text);

  test('the service keeps its repository in a bucket, and a key and the bucket bring everything back', async (context) => {
    const holdfast = await commandLine(context);
    const bucket = await minio.createBucket();
    await configure(holdfast, `repository:\n  s3: ${placeIn(bucket, 'company/backups')}\n`);
    const words = ['--config', path.join(holdfast.folder, 'holdfast.yaml')];
    const bytes = randomBytes(3_000_000);
    const service = await Service.start(holdfast.data, words);
    const { id } = await service.upload('stream', bytes);
    const posted = await service.call('POST', '/backups', JSON.stringify({ resourceId: 'doc', data: { a: [1, 2] } }));
    assert.equal((await service.call('GET', '/health')).status, 'ok');
    assert.ok((await service.content(String(id))).equals(bytes));
    await service.end('SIGTERM');

    const doctor = await holdfast.json(['doctor']);
    assert.ok(doctor.checks.some(({ message }) => message.includes(`s3://${bucket}/company/backups`)));
    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);
    const written = await filesBelow(holdfast.data);
    assert.ok(!written.some((file) => file.includes('packs')), 'the data folder holds no repository');
    const key = path.join(holdfast.folder, 'saved.key');
    await writeFile(key, await readFile(path.join(holdfast.data, 'keys', 'holdfast.key')));

    await rm(holdfast.data, { recursive: true });
    await rm(path.join(holdfast.folder, 'holdfast.yaml'));
    const address = `s3://${bucket}/company/backups?endpoint=${minio.endpoint}`;
    const environment = { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET_KEY };
    const recovery = ['recover', '--repository', address, '--key-file', key];
    const recovered = await holdfast.run([...recovery, '--json'], '', environment);
    assert.equal(recovered.code, 0, recovered.stderr);
    assert.equal(JSON.parse(recovered.stdout).repositories[0].added, 2);
    const reading = { ...environment, HOLDFAST_REPOSITORY: address, HOLDFAST_KEY_FILE: key };
    const back = path.join(holdfast.folder, 'back');
    const restored = await holdfast.run(['restore', String(id), '--output', back], '', reading);
    assert.equal(restored.code, 0, restored.stderr);
    assert.ok((await readFile(back)).equals(bytes));
    assert.match((await holdfast.run(['list'], '', reading)).stdout, new RegExp(String(posted.id)));
  });

  test('what the service acknowledged is whole after it was killed in the middle of others', async (context) => {
    const holdfast = await commandLine(context);
    const bucket = await minio.createBucket();
    await configure(holdfast, `repository:\n  s3: ${placeIn(bucket, 'killed')}\n`);
    const words = ['--config', path.join(holdfast.folder, 'holdfast.yaml')];
    const acknowledged = new Map<string, Buffer>();
    for (let round = 0; round < 3; round++) {
      const service = await Service.start(holdfast.data, words);
      const uploads = Array.from({ length: 4 }, async (_, lane) => {
        for (let n = 0; ; n++) {
          const bytes = randomBytes(100_000 * (n + 1));
          const { id } = await service.upload(`lane-${lane}`, bytes);
          acknowledged.set(String(id), bytes);
        }
      });
      for (const upload of uploads) upload.catch(() => undefined);
      await eventually(() => acknowledged.size >= (round + 1) * 4, 'backups were not acknowledged');
      await service.end('SIGKILL');
      await Promise.allSettled(uploads);
    }
    const service = await Service.start(holdfast.data, words);
    for (const [id, bytes] of acknowledged) assert.ok((await service.content(id)).equals(bytes), id);
    await service.end('SIGTERM');
    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);
  });

  test('a copy in a bucket is made, synced, repaired from, and recovered from when the folder is gone', async (context) => {
    const holdfast = await commandLine(context);
    const bucket = await minio.createBucket();
    await configure(holdfast, `copies:\n  - id: offsite\n    s3: ${placeIn(bucket, 'copy')}\n`);
    const folder = await holdfast.put('source/file', randomBytes(60_000).toString('hex'));
    const { backup } = await holdfast.json(['backup', folder, '--resource', 'a']);
    assert.equal((await holdfast.json(['copy', 'list'])).copies[0]?.state, 'missing');
    assert.equal((await listed(bucket)).length, 0, 'a look leaves nothing behind');
    await holdfast.json(['copy', 'init', 'offsite']);
    assert.match((await holdfast.run(['copy', 'sync'])).stdout, /1 backup copied/);
    assert.equal((await holdfast.json(['copy', 'list'])).copies[0]?.state, 'reachable');
    const repository = path.join(holdfast.data, 'repository');
    const packs = await filesBelow(path.join(repository, 'packs'));
    for (const pack of packs) await rm(pack);
    const repaired = await holdfast.run(['repair']);
    assert.match(repaired.stdout, new RegExp(`fetched from s3://${bucket}/copy`), repaired.stderr);
    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);

    await rm(repository, { recursive: true });
    await rm(path.join(holdfast.data, 'catalogue.sqlite'), { force: true });
    await configure(holdfast, `repository:\n  s3: ${placeIn(bucket, 'copy')}\n`);
    await holdfast.json(['recover']);
    const target = path.join(holdfast.folder, 'back');
    await holdfast.json(['restore', backup.id, '--target', target]);
    assert.equal(await readFile(path.join(target, 'file'), 'utf8'), await readFile(folder, 'utf8'));
  });

  test('what is wrong with a bucket is told with what to do about it', async (context) => {
    const holdfast = await commandLine(context);
    const folder = await holdfast.put('source/file', 'x');
    const backup = ['backup', folder, '--resource', 'a'];
    const fails = async (settings: Record<string, unknown>, code: string, words: RegExp) => {
      const place = { ...JSON.parse(placeIn('no-such-bucket', 'x')), ...settings };
      await configure(holdfast, `repository:\n  s3: ${JSON.stringify(place)}\n`);
      const problem = await holdfast.problem(backup, 1, { TEST_S3_WRONG: 'wrong' });
      assert.equal(problem.code, code, problem.message);
      assert.match(problem.message, words);
      assert.ok(!problem.message.includes(SECRET_KEY));
    };
    await fails({}, 'bucket-missing', /no bucket "no-such-bucket"/);
    const { checks } = await holdfast.json(['doctor'], '', 1);
    assert.match(checks.at(-1)?.message ?? '', /no bucket "no-such-bucket".*\[bucket-missing\]/);
    await fails({ accessKeyId: 'env:TEST_S3_WRONG' }, 's3-credentials-refused', /access key/);
    await fails({ secretAccessKey: 'env:TEST_S3_WRONG' }, 's3-credentials-refused', /access key/);
    await fails({ secretAccessKey: 'env:TEST_S3_ABSENT' }, 'secret-missing', /TEST_S3_ABSENT/);
    await fails({ secretAccessKey: 'in the open' }, 'secret-in-configuration', /env:NAME/);
    await fails({ endpoint: minio.endpoint.replace('http:', 'https:') }, 's3-tls-mismatch', /https/);
    await fails({ caFile: folder }, 's3-ca-unreadable', /holds no certificate/);
    await fails({ prefix: '../other' }, 'configuration-invalid', /prefix/);
    await configure(holdfast, `repository:\n  folder: here\n  s3: ${placeIn('b-b-b', 'x')}\n`);
    assert.match((await holdfast.problem(backup, 1)).message, /not in both/);
    await configure(holdfast, '');
    const addressed = await holdfast.problem(backup, 1, { HOLDFAST_REPOSITORY: 's3://key:secret@bucket/x' });
    assert.equal(addressed.code, 'storage-address-invalid');
    assert.ok(!addressed.message.includes('secret@'), addressed.message);
  });

  async function listed(bucket: string): Promise<readonly unknown[]> {
    const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
    const client = await minio.client();
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    client.destroy();
    return Contents;
  }
});
