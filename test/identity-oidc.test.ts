import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it, type TestContext } from 'node:test';
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import type { Principal } from '../src/core/access.ts';
import type { GrantRule, OidcConfiguration } from '../src/core/identity-configuration.ts';
import { createOidcIdentity } from '../src/identity/oidc/oidc-identity.ts';
import { startService } from './api-service.ts';
import { commandLine } from './command-line.ts';

const RULES: readonly GrantRule[] = [
  { subjects: ['group:dev'], role: 'developer', resources: ['shop'], variants: ['reduced'], methods: ['oidc'] },
  { subjects: ['user:boss'], role: 'admin', resources: ['*'], variants: ['raw'] },
  { subjects: ['*'], role: 'admin', resources: ['*'], variants: ['raw'], methods: ['ldap'] },
];
const silently = () => undefined;
const LOGGER = { debug: silently, info: silently, warn: silently, error: silently };

/** A little issuer on loopback, whose keys can change. */
class Issuer {
  url = '';
  keys: { id: string; algorithm: string; pair: { privateKey: CryptoKey; publicKey: CryptoKey } }[] = [];
  /** What its description says instead. */
  described: Record<string, unknown> = {};
  isDown = false;
  fetches = 0;

  static async start(t: TestContext): Promise<Issuer> {
    const issuer = new Issuer();
    const server = createServer(async (request, response) => {
      issuer.fetches++;
      response.statusCode = issuer.isDown ? 500 : 200;
      const isKeys = request.url === '/keys';
      const answer = isKeys ? { keys: await issuer.publicKeys() } : issuer.description();
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    issuer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await issuer.rotate('one', 'RS256');
    return issuer;
  }

  async rotate(id: string, algorithm: string): Promise<void> {
    this.keys = [{ id, algorithm, pair: await generateKeyPair(algorithm, { extractable: true }) }];
  }

  description(): Record<string, unknown> {
    return { issuer: this.url, jwks_uri: `${this.url}/keys`, ...this.described };
  }

  publicKeys(): Promise<JWK[]> {
    return Promise.all(
      this.keys.map(async ({ id, algorithm, pair }) => ({
        ...(await exportJWK(pair.publicKey)),
        kid: id,
        alg: algorithm,
      })),
    );
  }

  async token(claims: JWTPayload = {}, header: Record<string, unknown> = {}, key = this.keys[0]!.pair.privateKey) {
    const { id, algorithm } = this.keys[0]!;
    return new SignJWT(this.claims(claims)).setProtectedHeader({ alg: algorithm, kid: id, ...header }).sign(key);
  }

  claims(claims: JWTPayload = {}): JWTPayload {
    const now = Math.floor(Date.now() / 1000);
    return { iss: this.url, aud: 'holdfast', sub: 'fred', iat: now, exp: now + 300, groups: ['dev', 'x'], ...claims };
  }

  configuration(changes: Partial<OidcConfiguration> = {}): OidcConfiguration {
    const algorithms = ['RS256', 'ES256', 'EdDSA'];
    return {
      issuer: this.url,
      audience: ['holdfast', 'other'],
      algorithms,
      nameClaim: 'sub',
      groupsClaim: 'groups',
      ...changes,
    };
  }

  identity(changes: Partial<OidcConfiguration> = {}, clock = { now: () => new Date() }, logger = LOGGER) {
    const oidc = this.configuration(changes);
    const provider = createOidcIdentity({ oidc, rules: RULES, clock, logger, keyCooldownMilliseconds: 0 });
    return (token: string) => provider.identify({ kind: 'bearer', token });
  }
}

it("an issuer's token says who calls, and rules what that caller may do", async (t) => {
  const issuer = await Issuer.start(t);
  const identify = issuer.identity();
  assert.deepEqual(await identify(await issuer.token()), {
    method: 'oidc',
    name: 'fred',
    groups: ['dev', 'x'],
    role: 'developer',
    resources: ['shop'],
    scopes: [{ role: 'developer', resources: ['shop'] }],
    grants: [{ resources: ['shop'], variants: ['reduced'] }],
  } satisfies Principal);
  const boss = (await identify(
    await issuer.token({ sub: 'boss', groups: undefined, aud: ['a', 'other'] }),
  )) as Principal;
  assert.equal(boss.role, 'admin');
  assert.equal(boss.resources, undefined);
  await assert.rejects(identify(await issuer.token({ sub: 'Boss', groups: 'DEV' })), { code: 'nothing-granted' });
  assert.equal(issuer.fetches, 2, 'keys are fetched once');
});

it('names and groups are taken from the claims that are configured', async (t) => {
  const issuer = await Issuer.start(t);
  const nested = issuer.identity({ nameClaim: 'https://x.y/name', groupsClaim: 'realm_access.roles' });
  const found = (await nested(
    await issuer.token({ 'https://x.y/name': 'René', realm_access: { roles: ['dev', 7, null, 'a\nb'] } }),
  )) as Principal;
  assert.deepEqual([found.name, found.groups], ['René', ['dev']]);
  for (const claims of [
    {},
    { 'https://x.y/name': 7 },
    { 'https://x.y/name': '' },
    { 'https://x.y/name': 'a\u0000b' },
  ]) {
    assert.equal(await nested(await issuer.token(claims)), 'refused');
  }
  const mail = issuer.identity({ nameClaim: 'email' });
  assert.equal(await mail(await issuer.token({ email: 'boss@x.y' })), 'refused');
  const seen = await issuer.token({ email: 'boss@x.y', email_verified: true });
  assert.equal(((await mail(seen)) as Principal).name, 'boss@x.y');
});

it('tokens that are forged, old, early, or for somebody else are refused', async (t) => {
  const issuer = await Issuer.start(t);
  const identify = issuer.identity();
  const now = Math.floor(Date.now() / 1000);
  const stranger = await generateKeyPair('RS256');
  const publicPem = new TextEncoder().encode(await exportSPKI(issuer.keys[0]!.pair.publicKey));
  const good = await issuer.token();
  const [header, , signature] = good.split('.');
  const altered = Buffer.from(JSON.stringify(issuer.claims({ sub: 'boss' }))).toString('base64url');
  const cases: Record<string, string> = {
    'another audience': await issuer.token({ aud: 'elsewhere' }),
    'no audience': await issuer.token({ aud: undefined }),
    'another issuer': await issuer.token({ iss: 'https://evil.example' }),
    expired: await issuer.token({ exp: now - 61 }),
    'without an end': await issuer.token({ exp: undefined }),
    'not valid yet': await issuer.token({ nbf: now + 120 }),
    'without a subject': await issuer.token({ sub: undefined }),
    'another key': await issuer.token({}, {}, stranger.privateKey),
    'an unknown key': await issuer.token({}, { kid: 'two' }, stranger.privateKey),
    'alg none': new UnsecuredJWT(issuer.claims()).encode(),
    'HS256 with the public key': await new SignJWT(issuer.claims())
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(publicPem),
    'an algorithm that is not allowed': await issuer.token({}, { alg: 'PS256' }).catch(() => `${header}.e30.AA`),
    'altered claims': `${header}.${altered}.${signature}`,
    'no signature': `${header}.${altered}.`,
    'nothing in it': `${header}..${signature}`,
  };
  for (const [what, token] of Object.entries(cases)) assert.equal(await identify(token), 'refused', what);
  assert.notEqual(await identify(await issuer.token({ exp: now - 30 })), 'refused', 'clocks may differ by a minute');
  for (const other of ['hf_x', 'a.b', 'x'.repeat(100)]) assert.equal(await identify(other), 'unrecognised');
});

it('keys that the issuer rotates are found, and those that it took back count no longer', async (t) => {
  const issuer = await Issuer.start(t);
  const identify = issuer.identity();
  const old = await issuer.token();
  assert.equal(((await identify(old)) as Principal).name, 'fred');
  await issuer.rotate('two', 'ES256');
  assert.equal(((await identify(await issuer.token())) as Principal).name, 'fred');
  assert.equal(await identify(old), 'refused');
});

it('an issuer that is down or says what it should not is no wrong token', async (t) => {
  const issuer = await Issuer.start(t);
  const token = await issuer.token();
  issuer.isDown = true;
  const clock = { time: Date.now(), now: () => new Date(clock.time) };
  const lines: unknown[] = [];
  const identify = issuer.identity({}, clock, { ...LOGGER, warn: (...line: unknown[]) => void lines.push(line) });
  for (let call = 0; call < 5; call++)
    await assert.rejects(identify(token), { code: 'issuer-unavailable', kind: 'unavailable' });
  assert.equal(issuer.fetches, 1, 'it is not asked by every request');
  assert.match(
    JSON.stringify(lines),
    /^\[\[\{"reason":"[^"]+answers 500[^[]+could not be fetched"\]\]$/,
    'nor is each in the log',
  );
  issuer.isDown = false;
  clock.time += 6000;
  assert.equal(((await identify(token)) as Principal).name, 'fred');
  const wrong = [{ issuer: 'https://evil.example' }, { jwks_uri: 'http://evil.example/keys' }, { jwks_uri: 7 }];
  for (const described of wrong) {
    issuer.described = described;
    await assert.rejects(issuer.identity()(token), { code: 'issuer-unavailable' });
  }
});

it("an issuer's token opens the routes that its rules allow, and nothing past them", async (t) => {
  const issuer = await Issuer.start(t);
  const configuration = { oidc: issuer.configuration(), grants: RULES };
  const provider = createOidcIdentity({
    oidc: configuration.oidc,
    rules: RULES,
    clock: { now: () => new Date() },
    logger: LOGGER,
  });
  const service = await startService(t, {}, { configuration, providers: [provider] });
  const call = async (route: string, token?: string) => {
    const answer = await fetch(
      `${service.url}${route}`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    );
    await answer.arrayBuffer();
    return answer.status;
  };
  const fred = await issuer.token();
  assert.equal(await call('/backups', fred), 200);
  assert.equal(await call('/metrics', fred), 403, 'confined to a resource');
  assert.equal(await call('/users', fred), 403);
  assert.equal(await call('/users', await issuer.token({ sub: 'boss' })), 200);
  assert.equal(await call('/backups', await issuer.token({ sub: 'nobody', groups: [] })), 403);
  assert.equal(await call('/backups', await issuer.token({ aud: 'x' })), 401);
  assert.equal(await call('/backups'), 401);
});

it('a service that is configured for an issuer and a proxy believes both, with the secret of its file', async (t) => {
  const issuer = await Issuer.start(t);
  const holdfast = await commandLine(t);
  const secretFile = await holdfast.put('proxy-secret', 'shared-secret\n');
  await holdfast.put(
    'holdfast.yaml',
    `
identity:
  oidc: { issuer: "${issuer.url}", audience: holdfast }
  proxy: { addresses: [127.0.0.1], userHeader: X-User, secretHeader: X-Secret, secret: "file:${secretFile}" }
  grants:
    - { subjects: ["group:dev"], methods: [oidc], resources: [shop], variants: [reduced] }
    - { subjects: ["user:anna"], methods: [proxy], role: viewer, resources: ["*"] }
`,
  );
  const { url } = await holdfast.serve(t);
  const me = async (headers: Record<string, string>) => {
    const answer = await fetch(`${url}/me`, { headers });
    return { status: answer.status, ...((await answer.json()) as Partial<Principal>) };
  };
  assert.equal((await me({})).status, 401);
  const fred = await me({ authorization: `Bearer ${await issuer.token()}` });
  assert.deepEqual([fred.status, fred.name, fred.method], [200, 'fred', 'oidc']);
  const anna = await me({ 'x-user': 'anna', 'x-secret': 'shared-secret' });
  assert.deepEqual([anna.status, anna.name, anna.method], [200, 'anna', 'proxy']);
  assert.equal((await me({ 'x-user': 'anna', 'x-secret': 'guess' })).status, 401);
});
