import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Principal } from '../src/core/access.ts';
import type { GrantRule, LdapConfiguration } from '../src/core/identity-configuration.ts';
import type { IdentityProvider } from '../src/core/ports/identity-provider.ts';
import { withDirectory } from '../src/identity/ldap/directory-connection.ts';
import { createLdapIdentity } from '../src/identity/ldap/ldap-identity.ts';
import { startService } from './api-service.ts';
import { commandLine } from './command-line.ts';
import { freePort } from './free-port.ts';
import { LdapServer, SLAPD_SKIP_REASON } from './ldap-server.ts';

const BASE = LdapServer.base;
const RULES: readonly GrantRule[] = [
  { subjects: ['group:Dev'], role: 'developer', resources: ['shop-*'], variants: ['reduced'], latestOnly: true },
  { subjects: ['group:ops'], role: 'operator', resources: ['wiki'], variants: ['raw'] },
  { subjects: ['user:boss'], role: 'admin', resources: ['*'], variants: ['raw'] },
  { subjects: ['user:late'], role: 'viewer', resources: ['*'], variants: [], expiresAt: '2020-01-01T00:00:00.000Z' },
];

const PEOPLE: readonly (readonly [uid: string, password: string])[] = [
  ['fred', 'fred of the directory'],
  ['boss', 'boss of the directory'],
  ['late', 'late of the directory'],
  ['rené', 'rené of the directory'],
  ['a*b', 'star of the directory'],
  ['x)(uid=boss', 'parentheses of the directory'],
];

function person([uid, password]: readonly [string, string]): string {
  const id = Buffer.from(uid).toString('base64');
  const secret = Buffer.from(password).toString('base64');
  const number = PEOPLE.findIndex(([name]) => name === uid);
  const groups =
    uid === 'boss' ? ['groups', 'elsewhere'].map((ou) => `seeAlso: cn=ops,ou=${ou},${BASE}\n`).join('') : '';
  return `dn: cn=person ${number},ou=people,${BASE}\nobjectClass: inetOrgPerson\ncn: person ${number}\nsn: x\nuid:: ${id}\nuserPassword:: ${secret}\n${groups}`;
}

const ENTRIES = [
  ...['people', 'groups', 'elsewhere'].map(
    (ou) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n`,
  ),
  ...PEOPLE.map(person),
  `dn: cn=twin,ou=people,${BASE}\nobjectClass: inetOrgPerson\ncn: twin\nsn: x\nuid: twin\nuserPassword: twin-password\n`,
  `dn: cn=twin,ou=elsewhere,${BASE}\nobjectClass: inetOrgPerson\ncn: twin\nsn: x\nuid: twin\nuserPassword: twin-password\n`,
  `dn: cn=dev,ou=groups,${BASE}\nobjectClass: groupOfNames\ncn: dev\nmember: cn=person 0,ou=people,${BASE}\nmember: cn=person 3,ou=people,${BASE}\n`,
  `dn: cn=ops,ou=groups,${BASE}\nobjectClass: groupOfNames\ncn: ops\nmember: cn=person 0,ou=people,${BASE}\n`,
].join('\n');

describe('people of an LDAP directory', { skip: SLAPD_SKIP_REASON }, () => {
  let server: LdapServer;
  before(async () => {
    server = await LdapServer.start(ENTRIES);
  });
  after(() => server.remove());

  function configuration(changes: Partial<LdapConfiguration> = {}): LdapConfiguration {
    return {
      urls: [server.url],
      startTls: true,
      plain: false,
      caFile: server.authorityFile,
      bindDn: LdapServer.admin.dn,
      bindPassword: 'env:LDAP_PASSWORD',
      users: { base: BASE, filter: '(&(objectClass=inetOrgPerson)(uid={name}))', name: 'uid' },
      groups: {
        base: `ou=groups,${BASE}`,
        memberOf: 'memberOf',
        filter: '(&(objectClass=groupOfNames)(member={dn}))',
        name: 'cn',
      },
      timeoutSeconds: 20,
      cacheSeconds: 300,
      ...changes,
    };
  }

  function identity(
    changes: Partial<LdapConfiguration> = {},
    clock = { now: () => new Date() },
  ): Promise<IdentityProvider> {
    const resolveSecret = async () => LdapServer.admin.password;
    return createLdapIdentity({ ldap: configuration(changes), rules: RULES, resolveSecret, clock, logger: SILENT });
  }

  function signIn(provider: IdentityProvider, name: string, password: string) {
    return provider.identify({ kind: 'password', name, password });
  }

  it('come in by their password over StartTLS and over LDAPS, with what rules give to them and their groups', async () => {
    for (const ldap of [{}, { urls: [server.secureUrl], startTls: false }, { startTls: false, plain: true }]) {
      const found = (await signIn(await identity(ldap), 'FRED', 'fred of the directory')) as Principal;
      assert.equal(found.name, 'fred');
      assert.equal(found.method, 'ldap');
      assert.deepEqual(found.groups, [`cn=dev,ou=groups,${BASE}`, 'dev', `cn=ops,ou=groups,${BASE}`, 'ops']);
      assert.equal(found.role, 'operator');
      assert.deepEqual(found.scopes, [
        { role: 'developer', resources: ['shop-*'] },
        { role: 'operator', resources: ['wiki'] },
      ]);
      assert.deepEqual(found.grants, [
        { resources: ['shop-*'], variants: ['reduced'], latestOnly: true },
        { resources: ['wiki'], variants: ['raw'] },
      ]);
    }
  });

  it('are known by letters of any script and by what filters would take for their own', async () => {
    const provider = await identity();
    assert.equal(((await signIn(provider, 'rené', 'rené of the directory')) as Principal).name, 'rené');
    for (const at of [4, 5]) {
      const [name, password] = PEOPLE[at]!;
      // No rule names them: to be known and to be given nothing are two things.
      await assert.rejects(signIn(provider, name, password), { code: 'nothing-granted' });
    }
  });

  it('are not found by wildcards, by injected filters or by wrong, empty and cut passwords', async () => {
    const provider = await identity();
    const wrong: readonly (readonly [string, string])[] = [
      ['fred', 'wrong'],
      ['fred', ''],
      ['fred', 'fred of the directory\0'],
      ['nobody', 'fred of the directory'],
      ['*', 'fred of the directory'],
      ['fre*', 'fred of the directory'],
      ['fred)(objectClass=*', 'fred of the directory'],
      ['x)(|(uid=fred', 'fred of the directory'],
      ['fred\\2a', 'fred of the directory'],
      ['fred\0', 'fred of the directory'],
      [' fred', 'fred of the directory'],
      ['fr\u00aded', 'fred of the directory'],
      ['', ''],
      ['', 'x'],
      ['twin', 'twin-password'],
    ];
    for (const [name, password] of wrong) assert.equal(await signIn(provider, name, password), 'unrecognised', name);
  });

  it('are given nothing by rules that have expired', async () => {
    await assert.rejects(signIn(await identity(), 'late', 'late of the directory'), {
      code: 'nothing-granted',
      kind: 'denied',
    });
  });

  it('are remembered for some minutes, but never with another password', async () => {
    const clock = { time: Date.now(), now: () => new Date(clock.time) };
    const provider = await identity({}, clock);
    await signIn(provider, 'boss', 'boss of the directory');
    await server.stop();
    try {
      assert.equal(((await signIn(provider, 'boss', 'boss of the directory')) as Principal).role, 'admin');
      await assert.rejects(signIn(provider, 'boss', 'wrong'), { code: 'directory-unavailable' });
      clock.time += 301_000;
      await assert.rejects(signIn(provider, 'boss', 'boss of the directory'), { code: 'directory-unavailable' });
    } finally {
      await server.resume();
    }
  });

  it('are looked for in the next directory where one does not answer', async () => {
    const warnings: unknown[] = [];
    const provider = await createLdapIdentity({
      ldap: configuration({ urls: [`ldap://localhost:${await freePort()}`, server.url] }),
      rules: RULES,
      resolveSecret: async () => LdapServer.admin.password,
      clock: { now: () => new Date() },
      logger: { ...SILENT, warn: (facts: unknown) => void warnings.push(facts) },
    });
    assert.equal(((await signIn(provider, 'boss', 'boss of the directory')) as Principal).name, 'boss');
    assert.equal(((await signIn(provider, 'FRED', 'fred of the directory')) as Principal).name, 'fred');
    assert.equal(warnings.length, 1, 'and is asked first from then on');
  });

  it('do not fill the log while it is down', async () => {
    const clock = { time: Date.now(), now: () => new Date(clock.time) };
    let lines = 0;
    const provider = await createLdapIdentity({
      ldap: configuration({ urls: [`ldap://localhost:${await freePort()}`] }),
      rules: RULES,
      resolveSecret: async () => LdapServer.admin.password,
      clock,
      logger: { ...SILENT, warn: () => void lines++ },
    });
    for (const later of [0, 0, 0, 1000]) {
      clock.time += later;
      await assert.rejects(signIn(provider, 'boss', 'boss of the directory'), isUnavailable);
    }
    assert.equal(lines, 2);
  });

  it('are told that the directory is down, and not that their password is wrong', async (t) => {
    const down = await identity({ urls: [`ldap://localhost:${await freePort()}`] });
    const service = await startService(
      t,
      {},
      { configuration: { ldap: configuration(), grants: RULES }, providers: [down] },
    );
    const authorization = `Basic ${Buffer.from('boss:boss of the directory').toString('base64')}`;
    const answer = await fetch(`${service.url}/me`, { headers: { authorization } });
    assert.equal(answer.status, 503);
    assert.equal(((await answer.json()) as { code: string }).code, 'directory-unavailable');
    assert.equal((await fetch(`${service.url}/health`, { headers: { authorization } })).status, 200);
    // The directory's people are credentials that exist, so nobody is admin without.
    assert.equal((await fetch(`${service.url}/me`)).status, 401);
  });

  it('send no password to whoever cannot prove to be the directory', async (t) => {
    const address = `ldap://127.0.0.1:${server.port}`;
    await assert.rejects(signIn(await identity({ urls: [address] }), 'boss', 'boss of the directory'), isUnavailable);
    const secure = { urls: [`ldaps://127.0.0.1:${server.securePort}`], startTls: false };
    await assert.rejects(signIn(await identity(secure), 'boss', 'boss of the directory'), isUnavailable);
    const { caFile: _caFile, ...unverified } = configuration();
    const parts = { rules: RULES, resolveSecret: async () => 'x', clock: { now: () => new Date() }, logger: SILENT };
    const provider = await createLdapIdentity({ ldap: unverified, ...parts });
    await assert.rejects(signIn(provider, 'boss', 'boss of the directory'), isUnavailable);
    const silent = await silentServer(t);
    const slow = await identity({ urls: [`ldap://127.0.0.1:${silent.port}`], timeoutSeconds: 0.3 });
    await assert.rejects(signIn(slow, 'boss', 'boss of the directory'), isUnavailable);
    assert.ok(!silent.received().includes('boss'), 'nothing but the wish to encrypt is said in the clear');
    assert.ok(!silent.received().includes(LdapServer.admin.password));
  });

  it('send no password over a second connection where the first one was cut', async (t) => {
    const cutting = await cuttingServer(t, server.port);
    const address = { url: `ldap://localhost:${cutting.port}`, startTls: false, timeoutSeconds: 20 };
    await withDirectory(address, async (client) => {
      await client.search(BASE, { scope: 'base' });
      cutting.cut();
      while (client.isConnected) await new Promise(setImmediate);
      await assert.rejects(client.bind(LdapServer.admin.dn, LdapServer.admin.password), /was cut/);
    });
    assert.equal(cutting.connections(), 1);
    const secured = { ...address, startTls: true, authorities: await readFile(server.authorityFile, 'utf8') };
    await assert.rejects(
      withDirectory(secured, async () => undefined),
      'whoever takes a connection is no directory yet',
    );
  });

  it('are in the groups that their own entry names', async () => {
    const groups = { base: `ou=groups,${BASE}`, memberOf: 'seeAlso', name: 'cn' };
    const found = (await signIn(await identity({ groups }), 'boss', 'boss of the directory')) as Principal;
    assert.deepEqual(found.groups, [`cn=ops,ou=groups,${BASE}`, 'ops', `cn=ops,ou=elsewhere,${BASE}`]);
  });

  it('come into a service that is configured for them, and one that lacks a secret does not start', async (t) => {
    const holdfast = await commandLine(t);
    const lines = (password: string) => `
identity:
  ldap:
    url: ${server.secureUrl}
    ca: ${server.authorityFile}
    bind: { dn: "${LdapServer.admin.dn}", password: "${password}" }
    users: { base: "${BASE}" }
    groups: { base: "ou=groups,${BASE}", filter: "(member={dn})" }
    timeoutSeconds: 20
  grants: [{ subjects: ["group:dev"], resources: ["shop-*"], variants: [raw] }]
`;
    await holdfast.put('holdfast.yaml', lines('env:NO_SUCH_SECRET'));
    const refused = await holdfast.run(['serve', '--port', '0']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /NO_SUCH_SECRET/);
    await holdfast.put('ldap-password', `${LdapServer.admin.password}\n`);
    await holdfast.put('holdfast.yaml', lines(`file:${holdfast.folder}/ldap-password`));
    const { url } = await holdfast.serve(t);
    assert.equal((await fetch(`${url}/me`)).status, 401, 'nobody is let in without credentials');
    const authorization = `Basic ${Buffer.from('rené:rené of the directory').toString('base64')}`;
    const me = (await (await fetch(`${url}/me`, { headers: { authorization } })).json()) as Principal;
    assert.deepEqual([me.name, me.method, me.role, me.resources], ['rené', 'ldap', 'developer', ['shop-*']]);
  });

  it('are not looked for where the account that looks is refused, and that is no fault of theirs', async () => {
    const provider = await identity({ bindDn: `cn=nobody,${BASE}` });
    await assert.rejects(signIn(provider, 'boss', 'boss of the directory'), isUnavailable);
  });
});

it('a filter that is none stops the start', async () => {
  const ldap: LdapConfiguration = {
    urls: ['ldaps://localhost'],
    startTls: false,
    plain: false,
    users: { base: 'dc=x', filter: '(&(uid={name})', name: 'uid' },
    timeoutSeconds: 1,
    cacheSeconds: 0,
  };
  const parts = { rules: RULES, resolveSecret: async () => '', clock: { now: () => new Date() }, logger: SILENT };
  await assert.rejects(createLdapIdentity({ ldap, ...parts }), { code: 'configuration-invalid' });
});

const silently = () => undefined;
const SILENT = { debug: silently, info: silently, warn: silently, error: silently };

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'directory-unavailable';
}

/** Forwards the first connection to a port until it is cut, and takes further ones. */
async function cuttingServer(t: TestContext, target: number) {
  const sockets: Socket[] = [];
  const port = await freePort();
  const proxy = createServer((client) => {
    sockets.push(client.on('error', silently));
    if (sockets.length > 1) return void client.destroy();
    const directory = connect(target, '127.0.0.1').on('error', silently);
    client.pipe(directory).pipe(client);
    client.on('close', () => directory.destroy());
  });
  await new Promise<void>((listening) => proxy.listen(port, '127.0.0.1', listening));
  t.after(() => new Promise((closed) => proxy.close(closed)));
  return { port, connections: () => sockets.length, cut: () => sockets[0]?.destroy() };
}

/** Takes connections and answers nothing. */
async function silentServer(t: TestContext): Promise<{ port: number; received: () => string }> {
  let received = '';
  const port = await freePort();
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (bytes) => {
        received += bytes.toString('latin1');
      });
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  t.after(() => new Promise((closed) => server.close(closed)));
  return { port, received: () => received };
}
