import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiToken } from './access.ts';
import { TokenAccessManager } from './access-manager.ts';
import { createIdentifierSource } from './identifier.ts';
import type { DocumentTable } from './ports/catalogue.ts';

test('a token is returned once, kept only as a hash, and opens until it is revoked', async () => {
  const { access, rows } = openAccess();
  assert.equal(await access.credentialsExist(), false);
  const { token, record } = await access.createToken({ name: 'ci', role: 'operator', resources: ['shop-*'] });
  assert.match(token, /^hf_[A-Za-z0-9_-]{43}$/);
  assert.ok(!JSON.stringify([...rows.values()]).includes(token));
  assert.ok(!('hash' in record) && !JSON.stringify(await access.listTokens()).includes('hash'));
  assert.deepEqual(await access.identify({ kind: 'bearer', token }, 'here'), {
    name: 'ci',
    role: 'operator',
    method: 'token',
    resources: ['shop-*'],
  });
  for (const wrong of ['', 'hf_', `${token}x`, token.slice(0, -1), token.toUpperCase()]) {
    assert.equal(await access.identify({ kind: 'bearer', token: wrong }, 'here'), undefined);
  }
  await access.revokeToken(record.id);
  assert.equal(await access.identify({ kind: 'bearer', token }, 'here'), undefined);
  await assert.rejects(access.revokeToken(record.id), { code: 'token-not-found' });
});

test('a token opens no longer than until it expires', async () => {
  const { access, clock } = openAccess();
  const { token } = await access.createToken({ name: 'short', role: 'viewer', expiresInDays: 1 });
  clock.time += 86_400_000 - 1;
  assert.equal((await access.identify({ kind: 'bearer', token }, 'here'))?.name, 'short');
  clock.time += 1;
  assert.equal(await access.identify({ kind: 'bearer', token }, 'here'), undefined);
});

test('the last use is recorded at most once a minute', async () => {
  const { access, clock, rows, writes } = openAccess();
  const { token } = await access.createToken({ name: 'busy', role: 'viewer' });
  const before = writes.count;
  for (let call = 0; call < 100; call++) {
    await access.identify({ kind: 'bearer', token }, 'here');
    clock.time += 1000;
  }
  assert.equal(writes.count - before, 2);
  assert.equal([...rows.values()][0]?.lastUsedAt, new Date(START + 60_000).toISOString());
});

test('two tokens of one name are refused, because the audit log tells callers apart by it', async () => {
  const { access } = openAccess();
  await access.createToken({ name: 'ci', role: 'viewer' });
  await assert.rejects(access.createToken({ name: 'ci', role: 'admin' }), { code: 'token-name-taken' });
});

const START = Date.UTC(2026, 0, 1);

function openAccess() {
  const rows = new Map<string, ApiToken>();
  const writes = { count: 0 };
  const tokens: DocumentTable<ApiToken> = {
    get: async (id) => rows.get(id),
    list: async () => [...rows.values()],
    put: async (token) => {
      writes.count++;
      rows.set(token.id, token);
    },
    delete: async (id) => rows.delete(id),
  };
  const clock = { time: START, now: () => new Date(clock.time) };
  const silent = () => undefined;
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  const access = new TokenAccessManager({
    tokens,
    users: { get: async () => undefined, list: async () => [] },
    clock,
    nextId: createIdentifierSource(clock),
    logger,
  });
  return { access, clock, rows, writes };
}
