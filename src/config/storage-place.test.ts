import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfiguration } from './load-configuration.ts';
import { settingOf, storageAt } from './storage-place.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-places-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const load = async (text: string, environment: NodeJS.ProcessEnv = {}, repository?: string) => {
  const file = path.join(folder, 'holdfast.yaml');
  await writeFile(file, text);
  const overrides = repository === undefined ? {} : { repository };
  return loadConfiguration({ file, environment, workingFolder: folder, overrides });
};
const BUCKET = `
repository:
  s3:
    bucket: company
    prefix: /backups/
    endpoint: https://minio.example:9000/
    caFile: ca.pem
    accessKeyId: env:KEY
    secretAccessKey: file:/etc/secret
`;

test('a repository lies in the bucket that is configured, its key in the data folder', async () => {
  const { repositories } = await load(BUCKET);
  assert.deepEqual(repositories[0]?.storage, {
    kind: 's3',
    options: {
      bucket: 'company',
      prefix: 'backups',
      endpoint: 'https://minio.example:9000',
      caFile: path.join(folder, 'ca.pem'),
      accessKeyId: 'env:KEY',
      secretAccessKey: 'file:/etc/secret',
    },
  });
  assert.deepEqual(repositories[0]?.keys, [
    { kind: 'keyfile', path: path.join(folder, 'data', 'keys', 'holdfast.key') },
  ]);
});

test('what the configuration file is told to say of a place names that place', async () => {
  for (const place of [
    's3://b-b',
    's3://b-b/',
    's3://b-b/a/b/?endpoint=https://minio.example:9000&pathStyle=true',
    'there',
  ]) {
    const { repositories } = await load(JSON.stringify({ repository: settingOf(place, folder) }));
    assert.deepEqual(repositories[0]?.storage, storageAt(place, { workingFolder: folder, environment: {} }), place);
  }
  assert.deepEqual(settingOf('s3://b-b/a/b/?region=here', folder), {
    s3: { bucket: 'b-b', prefix: 'a/b', region: 'here' },
  });
  assert.throws(() => settingOf('s3://b-b?secret=x', folder), { code: 'storage-address-invalid' });
});

test('an address says where, and leaves the rest to the file and to the environment of the AWS SDK', async () => {
  const [addressed] = (await load(BUCKET, { HOLDFAST_REPOSITORY: 's3://other/place?region=here' })).repositories;
  assert.deepEqual(
    [addressed?.storage.options.bucket, addressed?.storage.options.prefix, addressed?.storage.options.region],
    ['other', 'place', 'here'],
  );
  assert.equal(addressed?.storage.options.secretAccessKey, 'file:/etc/secret');
  const environment = { AWS_ENDPOINT_URL_S3: 'https://s3.example', AWS_CA_BUNDLE: '/etc/ca.pem', AWS_REGION: 'auto' };
  assert.deepEqual(storageAt('s3://b-b', { workingFolder: folder, environment }), {
    kind: 's3',
    options: { bucket: 'b-b', endpoint: 'https://s3.example', region: 'auto', caFile: '/etc/ca.pem' },
  });
  assert.deepEqual((await load(BUCKET, {}, 'a/folder')).repositories[0]?.storage, {
    kind: 'local',
    options: { folder: path.join(folder, 'a/folder') },
  });
});

test('an address that names nothing, or holds a secret, is refused without repeating the secret', async () => {
  for (const address of [
    's3://',
    's3://b-b/../x',
    's3://b-b/a//b',
    's3://b-b/x?endpoint=ftp://y',
    's3://b-b/x?endpoint=https://key:hunter2@y',
    's3://b-b?password=hunter2',
    's3://key:hunter2@b-b/x',
    's3://b-b/x#y',
  ])
    assert.throws(
      () => storageAt(address, { workingFolder: folder, environment: {} }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'storage-address-invalid', address);
        assert.ok(!error.message.includes('hunter2'), error.message);
        return true;
      },
      address,
    );
});

test('a copy may be on another kind of storage than its source, and is on exactly one', async () => {
  const { copies } = await load(`copies:\n  - id: offsite\n    s3: { bucket: b-b }\n  - id: usb\n    folder: usb\n`);
  assert.deepEqual(
    copies.map(({ storage }) => storage),
    [
      { kind: 's3', options: { bucket: 'b-b' } },
      { kind: 'local', options: { folder: path.join(folder, 'usb') } },
    ],
  );
  for (const text of ['copies:\n  - id: a\n', 'copies:\n  - id: a\n    folder: b\n    s3: { bucket: b-b }\n'])
    await assert.rejects(load(text), { code: 'configuration-invalid', message: /a folder or in a bucket/ });
  await assert.rejects(load('repository:\n  s3: { bucket: b-b, secretAccessKey: hunter2 }\n'), {
    code: 'secret-in-configuration',
  });
  await assert.rejects(load('repository:\n  s3: { bucket: b-b, acessKeyId: env:A }\n'), { message: /accessKeyId/ });
});
