import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { it, type TestContext } from 'node:test';
import type { GrantRule, ProxyConfiguration } from '../src/core/identity-configuration.ts';
import { createProxyIdentity } from '../src/identity/proxy/proxy-identity.ts';
import { type RunningService, startService } from './api-service.ts';

const RULES: readonly GrantRule[] = [
  { subjects: ['group:dev'], role: 'developer', resources: ['shop'], variants: ['raw'] },
  { subjects: ['user:rené'], role: 'viewer', resources: ['*'], variants: [] },
];
const PASSWORD = 'several words: nobody guesses';
const HEADERS = { userHeader: 'X-Auth-Request-User', groupsHeader: 'X-Auth-Request-Groups' };

async function serviceBehind(t: TestContext, proxy: ProxyConfiguration): Promise<RunningService> {
  const parts = { rules: RULES, resolveSecret: async () => 'shared-secret', clock: { now: () => new Date() } };
  const provider = await createProxyIdentity({ proxy, ...parts });
  const service = await startService(t, {}, { configuration: { proxy, grants: RULES }, providers: [provider] });
  await service.application.users.put('local-user', { role: 'viewer' }, PASSWORD);
  return service;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Headers as they are written, repeated ones too. */
function call(
  service: RunningService,
  headers: Record<string, string | string[]>,
  from = '127.0.0.1',
  method = 'GET',
  route = '/me',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${service.url}${route}`,
      { method, headers, localAddress: from, agent: false },
      async (response) => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(await text(response)) });
      },
    );
    sent.once('error', reject).end();
  });
}

it('what a trusted proxy says of its caller is believed, and rules say what that caller may do', async (t) => {
  const service = await serviceBehind(t, { addresses: ['127.0.0.2'], ...HEADERS });
  const headers = { 'x-auth-request-user': 'fred', 'x-auth-request-groups': 'x, dev ,,' };
  const { body } = await call(service, headers, '127.0.0.2');
  assert.deepEqual([body.name, body.method, body.role, body.groups], ['fred', 'proxy', 'developer', ['x', 'dev']]);
  const utf8 = Buffer.from('rené').toString('latin1');
  assert.equal((await call(service, { 'x-auth-request-user': utf8 }, '127.0.0.2')).body.name, 'rené');
  assert.equal((await call(service, { 'x-auth-request-user': 'nobody' }, '127.0.0.2')).body.code, 'nothing-granted');
});

it('from everywhere else, and without the name, such headers are as if they had not come', async (t) => {
  const service = await serviceBehind(t, { addresses: ['127.0.0.2', '10.0.0.0/8'], ...HEADERS });
  const forged = { 'x-auth-request-user': 'fred', 'x-auth-request-groups': 'dev' };
  assert.equal((await call(service, forged)).status, 401);
  const forwarded = { ...forged, 'x-forwarded-for': '127.0.0.2', 'x-real-ip': '127.0.0.2' };
  assert.equal((await call(service, forwarded)).status, 401, 'the peer counts, not what it says of itself');
  const authorization = `Basic ${Buffer.from(`local-user:${PASSWORD}`).toString('base64')}`;
  assert.equal((await call(service, { ...forged, authorization })).body.name, 'local-user');
  assert.equal(
    (await call(service, { authorization, 'x-auth-request-groups': 'dev' }, '127.0.0.2')).body.name,
    'local-user',
  );
  assert.equal((await call(service, { 'x-auth-request-user': '' }, '127.0.0.2')).status, 401);
  assert.equal(
    (await call(service, { x_auth_request_user: 'fred', x_auth_request_groups: 'dev' }, '127.0.0.2')).status,
    401,
  );
});

it('a header that came twice is refused: one of them is not from the proxy', async (t) => {
  const service = await serviceBehind(t, { addresses: ['127.0.0.2'], ...HEADERS });
  const twice: Record<string, string | string[]>[] = [
    { 'X-Auth-Request-User': ['fred', 'boss'] },
    { 'X-Auth-Request-User': 'fred', 'X-Auth-Request-Groups': ['dev', 'ops'] },
  ];
  for (const headers of twice) {
    assert.equal((await call(service, headers, '127.0.0.2')).body.code, 'proxy-identity-ambiguous');
  }
});

it('with a shared secret, the address alone is not enough', async (t) => {
  const proxy = { addresses: ['127.0.0.2'], ...HEADERS, secretHeader: 'X-Proxy-Secret', secret: 'env:X' };
  const service = await serviceBehind(t, proxy);
  const said = { 'x-auth-request-user': 'fred', 'x-auth-request-groups': 'dev' };
  assert.equal((await call(service, said, '127.0.0.2')).status, 401);
  assert.equal((await call(service, { ...said, 'x-proxy-secret': 'guess' }, '127.0.0.2')).status, 401);
  assert.equal((await call(service, { ...said, 'x-proxy-secret': 'shared-secret' }, '127.0.0.1')).status, 401);
  assert.equal((await call(service, { ...said, 'x-proxy-secret': 'shared-secret' }, '127.0.0.2')).body.name, 'fred');
  const { items } = await service.application.audit.page({}, { limit: 10 });
  assert.ok(!JSON.stringify(items).includes('shared-secret'));
});

it("guesses are counted by the real caller's address: the right-most that no trusted proxy has", async (t) => {
  const service = await serviceBehind(t, { addresses: ['127.0.0.2', '10.0.0.0/8', '2001:db8::/32'], ...HEADERS });
  const guess = (forwarded: string, from: string, name: string) => {
    const authorization = `Basic ${Buffer.from(`${name}:wrong`).toString('base64')}`;
    return call(service, { authorization, 'x-forwarded-for': forwarded }, from);
  };
  // What the caller itself wrote comes first, and is not believed.
  for (let at = 0; at < 5; at++) {
    assert.equal(
      (await guess(`1.1.1.${at}, 203.0.113.7, 10.1.1.1, 2001:db8::9`, '127.0.0.2', `guess-${at}`)).status,
      401,
    );
  }
  assert.equal((await guess('9.9.9.9, 203.0.113.7', '127.0.0.2', 'other')).status, 429);
  assert.equal((await guess('203.0.113.7, 203.0.113.8', '127.0.0.2', 'another')).status, 401);
  const { items } = await service.application.audit.page({}, { limit: 50 });
  assert.equal(items.filter(({ address }) => address === '203.0.113.7').length, 6);
  for (let at = 0; at < 5; at++) await guess(`8.8.8.${at}`, '127.0.0.3', `more-${at}`);
  assert.equal((await guess('8.8.8.99', '127.0.0.3', 'yet-another')).status, 429, 'who is no proxy cannot hide');
});

it('pages of other sites cannot use the passwords and cookies that a browser adds by itself', async (t) => {
  const service = await serviceBehind(t, { addresses: ['127.0.0.2'], ...HEADERS });
  const said = { 'x-auth-request-user': 'fred', 'x-auth-request-groups': 'dev' };
  const basic = { authorization: `Basic ${Buffer.from(`local-user:${PASSWORD}`).toString('base64')}` };
  for (const [credentials, from] of [
    [said, '127.0.0.2'],
    [basic, '127.0.0.1'],
  ] as const) {
    const put = (headers: Record<string, string>) =>
      call(service, { ...credentials, ...headers }, from, 'PUT', '/me/password');
    assert.equal(
      (await put({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).body.code,
      'cross-site-request',
    );
    assert.equal((await put({ 'sec-fetch-site': 'same-site' })).body.code, 'cross-site-request');
    assert.equal((await put({ origin: 'https://evil.example' })).body.code, 'cross-site-request');
    assert.equal((await put({ 'sec-fetch-site': 'same-origin', origin: 'https://backups.example' })).status, 400);
    assert.equal((await put({ origin: service.url })).status, 400);
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    assert.equal((await call(service, { ...credentials, ...link }, from)).status, 200, 'a link may be followed');
  }
});
