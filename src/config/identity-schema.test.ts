import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfiguration } from './load-configuration.ts';

const GRANTS = '  grants: [{ subjects: ["group:dev"], resources: [shop], variants: [raw] }]';

async function identityOf(yaml: string) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-identity-'));
  try {
    await writeFile(path.join(folder, 'holdfast.yaml'), yaml);
    const { identity } = await loadConfiguration({ environment: {}, workingFolder: folder });
    return { identity, folder };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('identity is read from the file, with its defaults', async () => {
  const { identity, folder } = await identityOf(`
identity:
  ldap:
    url: ldaps://ldap.example.org
    ca: ca.pem
    bind: { dn: "cn=holdfast,dc=example", password: "env:LDAP_PASSWORD" }
    users: { base: "ou=people,dc=example" }
    groups: { base: "ou=groups,dc=example" }
  oidc: { issuer: "https://id.example.org/realms/x", audience: holdfast }
  proxy: { addresses: [127.0.0.1, "10.0.0.0/8", "fd00::/8"], userHeader: X-Auth-Request-User, secretHeader: X-Secret, secret: "file:/run/secret" }
  grants:
    - subjects: ["group:dev", "user:fred"]
      resources: [shop, "shop-*"]
      variants: [reduced]
      latestOnly: true
      reasonFor: [raw]
      maxAge: 30d
      limits: { downloadsPerHour: 20, concurrent: 2 }
      expires: 2027-03-31
    - { subjects: ["*"], role: viewer, resources: ["*"], methods: [ldap] }
`);
  assert.deepEqual(identity, {
    ldap: {
      urls: ['ldaps://ldap.example.org'],
      startTls: false,
      plain: false,
      caFile: path.join(folder, 'ca.pem'),
      bindDn: 'cn=holdfast,dc=example',
      bindPassword: 'env:LDAP_PASSWORD',
      users: { base: 'ou=people,dc=example', filter: '(uid={name})', name: 'uid' },
      groups: { base: 'ou=groups,dc=example', memberOf: 'memberOf', name: 'cn' },
      timeoutSeconds: 5,
      cacheSeconds: 300,
    },
    oidc: {
      issuer: 'https://id.example.org/realms/x',
      audience: ['holdfast'],
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      nameClaim: 'sub',
      groupsClaim: 'groups',
    },
    proxy: {
      addresses: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'],
      userHeader: 'X-Auth-Request-User',
      secretHeader: 'X-Secret',
      secret: 'file:/run/secret',
    },
    grants: [
      {
        subjects: ['group:dev', 'user:fred'],
        role: 'developer',
        resources: ['shop', 'shop-*'],
        variants: ['reduced'],
        latestOnly: true,
        reasonFor: ['raw'],
        maxAgeDays: 30,
        limits: { downloadsPerHour: 20, concurrent: 2 },
        expiresAt: '2027-03-31T00:00:00.000Z',
      },
      { subjects: ['*'], role: 'viewer', resources: ['*'], variants: [], methods: ['ldap'] },
    ],
  });
});

const LDAP = 'users: { base: x }';
const REFUSED: Readonly<Record<string, string>> = {
  'ldap: { url: "ldap://x", USERS }': 'unencrypted',
  'ldap: { url: "ldaps://x", startTls: true, USERS }': 'startTls',
  'ldap: { url: "https://x", USERS }': 'ldaps://host',
  'ldap: { url: "ldaps://name:secret@x", USERS }': 'ldaps://host',
  'ldap: { url: "ldaps://x", users: { base: x, filter: "(uid=*)" } }': '{name}',
  'ldap: { url: "ldaps://x", USERS, bind: { dn: x, password: swordfish } }': 'env:NAME',
  'ldap: { url: "ldaps://x", USERS, verify: false }': 'unknown setting',
  'oidc: { issuer: "http://id.example.org", audience: x }': 'https://',
  'oidc: { issuer: "https://id.example.org" }': 'audience',
  'oidc: { issuer: "https://id.example.org", audience: x, algorithms: [HS256] }': 'asymmetric',
  'oidc: { issuer: "https://id.example.org", audience: x, algorithms: [none] }': 'asymmetric',
  'proxy: { addresses: [proxy.example.org] }': 'address',
  'proxy: { addresses: ["10.0.0.0/33"] }': 'address',
  'proxy: { addresses: [], userHeader: X-User }': 'addresses',
  'proxy: { addresses: ["0.0.0.0/0"], userHeader: X-User }': 'whole world',
  'proxy: { addresses: [127.0.0.1], userHeader: Authorization }': 'meaning of its own',
  'proxy: { addresses: [127.0.0.1], groupsHeader: X-Groups }': 'userHeader',
  'proxy: { addresses: [127.0.0.1], userHeader: X-User, secretHeader: X-S }': 'secret',
  'proxy: { addresses: [127.0.0.1], userHeader: X-User, secretHeader: X-S, secret: swordfish }': 'env:NAME',
};

test('what would be unsafe or mean nothing is refused, by name and without secrets', async () => {
  for (const [setting, words] of Object.entries(REFUSED)) {
    const yaml = `identity:\n  ${setting.replace('USERS', LDAP)}\n${GRANTS}\n`;
    await assert.rejects(identityOf(yaml), (error: Error) => {
      assert.ok(error.message.includes(words), `${setting}: ${error.message}`);
      assert.ok(!error.message.includes('swordfish'));
      return true;
    });
  }
  await assert.doesNotReject(identityOf(`identity:\n  ldap: { url: "ldap://x", plain: true, ${LDAP} }\n${GRANTS}\n`));
  await assert.doesNotReject(identityOf('identity:\n  proxy: { addresses: [127.0.0.1] }\n'));
});

test('rules say whom, what and which variants: data as it was backed up is never meant without being named', async () => {
  const ruled = (rule: string) => identityOf(`identity:\n  grants: [${rule}]\n`);
  await assert.rejects(ruled('{ subjects: ["group:x"], resources: [a] }'), /raw is the data as it was backed up/);
  await assert.rejects(ruled('{ subjects: [fred], resources: [a], variants: [raw] }'), /user:NAME/);
  await assert.rejects(ruled('{ subjects: ["user:a"], resources: ["a*b"], variants: [raw] }'), /beginning/);
  await assert.rejects(ruled('{ subjects: ["user:a"], resources: [a], variants: [raw], maxAge: 0d }'), /maxAge/);
  await assert.rejects(ruled('{ subjects: ["user:a"], resources: [a], variants: [raw], expires: soon }'), /expires/);
  await assert.rejects(ruled('{ subjects: ["user:a"], resources: [], variants: [raw] }'), /resources/);
  const nobody = identityOf('identity:\n  oidc: { issuer: "https://id.example.org", audience: x }\n');
  await assert.rejects(nobody, /nobody whom LDAP, OIDC or a proxy/);
});

test('the examples of the documentation are valid', async () => {
  const text = await readFile(new URL('../../docs/identity.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, example]) => example ?? '');
  assert.equal(examples.length, 3);
  for (const example of examples) assert.ok((await identityOf(example)).identity?.grants.length, example);
});
