import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiToken } from './access.ts';
import { TokenAccessManager } from './access-manager.ts';
import { HoldfastError } from './errors.ts';
import { createIdentifierSource } from './identifier.ts';
import type { DocumentTable } from './ports/catalogue.ts';
import type { IdentityProvider } from './ports/identity-provider.ts';

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
    credential: record.id,
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

test('a refused password takes as long whether the name is known or not, and is slower than the work', async () => {
  const { access } = openAccess({ refusalMilliseconds: 60 });
  for (const name of ['fred', 'nobody']) {
    const began = performance.now();
    assert.equal(await access.identify({ kind: 'password', name, password: 'wrong' }, 'here'), undefined);
    // Timers may be a millisecond early.
    assert.ok(performance.now() - began >= 58, name);
  }
});

test('wrong passwords shut out for a while, right ones and tokens elsewhere are let in', async () => {
  const { access, clock } = openAccess();
  const right = { kind: 'password', name: 'fred', password: 'right' } as const;
  for (let guess = 0; guess < 5; guess++) {
    assert.equal(await access.identify({ ...right, password: `guess ${guess}` }, '10.0.0.1'), undefined);
  }
  const blocked = { code: 'sign-in-blocked', kind: 'too-many', details: { retryAfterSeconds: 60 } };
  await assert.rejects(access.identify(right, '10.0.0.1'), blocked, 'the right one too: else guessing goes on');
  await assert.rejects(access.identify(right, '10.0.0.2'), blocked);
  const { token } = await access.createToken({ name: 'ci', role: 'viewer' });
  assert.equal((await access.identify({ kind: 'bearer', token }, '10.0.0.1'))?.name, 'ci');
  assert.equal((await access.identify({ ...right, password: token }, '10.0.0.1'))?.name, 'ci');
  clock.time += 60_000;
  assert.equal((await access.identify(right, '10.0.0.1'))?.name, 'fred');
});

test('an empty password is asked of nobody, and a provider that cannot tell is no wrong password', async () => {
  const { access, asked } = openAccess();
  assert.equal(await access.identify({ kind: 'password', name: 'fred', password: '' }, '10.0.0.1'), undefined);
  assert.deepEqual(asked, []);
  for (let call = 0; call < 20; call++) {
    const down = { kind: 'password', name: 'fred', password: 'is it up?' } as const;
    await assert.rejects(access.identify(down, '10.0.0.2'), { code: 'directory-unavailable' });
  }
  assert.equal(
    (await access.identify({ kind: 'password', name: 'fred', password: 'right' }, '10.0.0.2'))?.name,
    'fred',
  );
});

test('a directory that is down is so for every wrong password, and never sees those of names that are not its own', async () => {
  const seen: unknown[] = [];
  const directory: IdentityProvider = {
    method: 'ldap',
    async identify(credentials) {
      seen.push(credentials);
      throw new HoldfastError('unavailable', 'directory-unavailable', 'No.');
    },
  };
  const { access } = openAccess({ directory });
  const wrong = { kind: 'password', name: 'fred', password: 'wrong' } as const;
  for (let guess = 0; guess < 5; guess++) {
    await assert.rejects(access.identify(wrong, '10.0.0.1'), { code: 'directory-unavailable' });
  }
  assert.equal(seen.length, 5);
  assert.doesNotMatch(JSON.stringify(seen), /fred|wrong/);
  await assert.rejects(
    access.identify(wrong, '10.0.0.2'),
    { code: 'sign-in-blocked' },
    'they were guesses all the same',
  );
});

test('whoever is vouched for by others is a credential that exists', async () => {
  assert.equal(await openAccess({ isVouchedFor: true }).access.credentialsExist(), true);
  assert.equal(await openAccess({ hasUsers: true }).access.credentialsExist(), true);
});

test('what a token may download is narrowed by its grants, as long as these have not expired', async () => {
  const { access } = openAccess();
  const grants = [
    { resources: ['shop'], variants: ['reduced'] },
    { resources: ['*'], variants: ['raw'], expiresAt: new Date(START - 1).toISOString() },
  ];
  const { token } = await access.createToken({ name: 'ci', role: 'developer', grants });
  assert.deepEqual((await access.identify({ kind: 'bearer', token }, 'here'))?.grants, [grants[0]]);
});

const START = Date.UTC(2026, 0, 1);

function openAccess({
  hasUsers = false,
  directory,
  ...parts
}: {
  refusalMilliseconds?: number;
  isVouchedFor?: boolean;
  hasUsers?: boolean;
  /** Asked after the users. */
  directory?: IdentityProvider;
} = {}) {
  const asked: string[] = [];
  const provider: IdentityProvider = {
    method: 'password',
    async identify(credentials) {
      if (credentials.kind !== 'password') return 'unrecognised';
      asked.push(credentials.password);
      if (credentials.password === 'is it up?') throw new HoldfastError('unavailable', 'directory-unavailable', 'No.');
      return credentials.password === 'right' ? { name: credentials.name, role: 'viewer' } : 'refused';
    },
  };
  const rows = new Map<string, ApiToken>();
  const writes = { count: 0 };
  const tokens: DocumentTable<ApiToken> = {
    get: async (id) => rows.get(id),
    list: async () => [...rows.values()],
    isEmpty: async () => rows.size === 0,
    put: async (token) => {
      writes.count++;
      rows.set(token.id, token);
    },
    change: async (id, change) => {
      const row = rows.get(id);
      if (row !== undefined) await tokens.put(change(row));
      return rows.get(id);
    },
    delete: async (id) => rows.delete(id),
  };
  const clock = { time: START, now: () => new Date(clock.time) };
  const silent = () => undefined;
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  const access = new TokenAccessManager({
    tokens,
    users: { get: async () => undefined, isEmpty: async () => !hasUsers },
    providers: directory === undefined ? [provider] : [provider, directory],
    clock,
    nextId: createIdentifierSource(clock),
    logger,
    refusalMilliseconds: 1,
    ...parts,
  });
  return { access, asked, clock, rows, writes };
}
