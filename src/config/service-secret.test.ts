import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfiguration } from './load-configuration.ts';
import { createServiceSecretResolver } from './service-secret.ts';

test('a resource may name any secret but those that open repositories or tell who calls', async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-secrets-'));
  context.after(() => rm(folder, { recursive: true }));
  const [keyFile, password, link] = ['key', 'password', 'link'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(keyFile, 'the key');
  await writeFile(password, 'hunter2\n');
  await symlink(keyFile, link);
  await writeFile(
    path.join(folder, 'holdfast.yaml'),
    `identity:
  ldap: { url: "ldaps://x", users: { base: x }, bind: { dn: x, password: "env:LDAP_PASSWORD" } }
  proxy: { addresses: [127.0.0.1], userHeader: X-User, secretHeader: X-Secret, secret: "file:${folder}/./proxy" }
  grants: [{ subjects: ["*"], role: viewer, resources: ["*"] }]
notifications:
  - name: chat
    webhook: { url: "env:CHAT", secret: "file:${folder}/./signing", headers: { X-Token: "env:CHAT_TOKEN" } }
`,
  );
  const environment = { HOLDFAST_KEY_FILE: keyFile, HOLDFAST_PASSPHRASE: 'open sesame', DATABASE_PASSWORD: 'x' };
  const configuration = await loadConfiguration({ environment, workingFolder: folder });
  const resolve = createServiceSecretResolver(configuration, environment);
  assert.equal(await resolve('env:DATABASE_PASSWORD'), 'x');
  assert.equal(await resolve(`file:${password}`), 'hunter2');
  const data = path.join(folder, 'data', 'catalogue.sqlite');
  for (const own of [
    'env:HOLDFAST_PASSPHRASE',
    `file:${keyFile}`,
    `file:${link}`,
    `file:${folder}/x/../key`,
    `file:${data}`,
    'env:LDAP_PASSWORD',
    `file:${folder}/proxy`,
    'env:CHAT',
    'env:CHAT_TOKEN',
    'env:HTTPS_PROXY',
    'env:http_proxy',
    `file:${folder}/signing`,
  ])
    await assert.rejects(resolve(own), { code: 'secret-not-for-resources', kind: 'denied' }, own);
  await assert.rejects(resolve('env:NOWHERE'), { code: 'secret-missing' });
});

test('a resource may not name the secrets of a bucket that holds a repository or a copy', async () => {
  const workingFolder = '/nowhere';
  const environment = {
    HOLDFAST_REPOSITORY: 's3://bucket',
    AWS_SECRET_ACCESS_KEY: 'x',
    ANOTHER: 'y',
  };
  const ambient = createServiceSecretResolver(await loadConfiguration({ environment, workingFolder }), environment);
  await assert.rejects(ambient('env:AWS_SECRET_ACCESS_KEY'), { code: 'secret-not-for-resources' });
  assert.equal(await ambient('env:ANOTHER'), 'y');

  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-secrets-'));
  const secret = path.join(folder, 'secret');
  await writeFile(secret, 'x');
  const file = path.join(folder, 'holdfast.yaml');
  const place = `{ bucket: b-b, accessKeyId: env:ANOTHER, secretAccessKey: "file:${folder}/./secret" }`;
  await writeFile(file, `copies:\n  - id: c\n    s3: ${place}\n`);
  const named = createServiceSecretResolver(
    await loadConfiguration({ file, environment: {}, workingFolder }),
    environment,
  );
  await assert.rejects(named('env:ANOTHER'), { code: 'secret-not-for-resources' });
  await assert.rejects(named(`file:${secret}`), { code: 'secret-not-for-resources' });
  assert.equal(await named('env:AWS_SECRET_ACCESS_KEY'), 'x');
  await rm(folder, { recursive: true });
});
