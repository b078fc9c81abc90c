import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type RunningService, startService } from './api-service.ts';
import { type Answer, documentedCall } from './documented-call.ts';

const run = promisify(execFile);
const PASSWORD = 'several words: nobody guesses';

function basic(name: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
}

function as(service: RunningService, headers: Record<string, string>) {
  return (method: string, route: string, body?: unknown): Promise<Answer> =>
    documentedCall(service.url, method, route, { headers, ...(body === undefined ? {} : { body }) });
}

describe('local users', () => {
  it('sign in with name and password on every route that takes credentials', async (t) => {
    const service = await startService(t);
    const { users } = service.application;
    await users.put('fred', { role: 'viewer' }, PASSWORD);
    const fred = as(service, basic('fred', PASSWORD));
    assert.equal((await fred('GET', '/backups')).status, 200);
    assert.equal((await fred('GET', '/users')).status, 403);
    const { body } = await fred('GET', '/me');
    assert.deepEqual(body, { name: 'fred', role: 'viewer', method: 'password' });
    const { stdout } = await run('curl', ['-sS', '-u', `fred:${PASSWORD}`, `${service.url}/me`]);
    assert.equal(JSON.parse(stdout).name, 'fred');
  });

  it('are refused in the same words, whether the name, the password or the account is not good', async (t) => {
    const service = await startService(t);
    const { users } = service.application;
    await users.put('fred', { role: 'viewer' }, PASSWORD);
    await users.put('gone', { role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' }, PASSWORD);
    await users.put('off', { role: 'viewer', disabled: true }, PASSWORD);
    const answers: unknown[] = [];
    for (const [name, password] of [
      ['fred', 'wrong'],
      ['nobody', PASSWORD],
      ['gone', PASSWORD],
      ['off', PASSWORD],
    ] as const) {
      const answer = await as(service, basic(name, password))('GET', '/backups');
      assert.equal(answer.status, 401);
      answers.push({ ...answer.body, requestId: '' });
    }
    assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
    assert.equal((await as(service, basic('fred', ''))('GET', '/backups')).status, 401);
  });

  it('are created, listed, changed and deleted by an admin, and their passwords are in no answer', async (t) => {
    const service = await startService(t);
    const nobodyYet = as(service, {});
    const created = await nobodyYet('PUT', '/users/Root', { role: 'admin', password: PASSWORD });
    assert.equal(created.status, 201);
    assert.equal(created.body.name, 'root');
    assert.equal((await nobodyYet('GET', '/users')).status, 401);
    const root = as(service, basic('root', PASSWORD));
    const grants = [{ resources: ['shop'], variants: ['reduced'], latestOnly: true, limits: { concurrent: 2 } }];
    assert.equal((await root('PUT', '/users/fred', { role: 'developer', grants })).body.code, 'password-needed');
    const fred = { role: 'developer', resources: ['shop-*'], grants };
    assert.equal((await root('PUT', '/users/fred', { ...fred, password: PASSWORD })).status, 201);
    const listed = await root('GET', '/users');
    assert.deepEqual(
      listed.body.map(({ name }: { name: string }) => name),
      ['root', 'fred'],
    );
    assert.ok(!JSON.stringify([created.body, listed.body]).match(/argon2|hash|several/i));
    const own = await as(service, basic('FRED', PASSWORD))('GET', '/me');
    assert.deepEqual(own.body, { name: 'fred', method: 'password', ...fred });
    const disabled = await root('PUT', '/users/fred', { role: 'developer', disabled: true });
    assert.equal(disabled.status, 200);
    assert.equal((await as(service, basic('fred', PASSWORD))('GET', '/me')).status, 401);
    assert.equal((await root('DELETE', '/users/FRED')).status, 200);
    assert.equal((await root('GET', '/users/fred')).body.code, 'user-not-found');
    const { items } = await service.application.audit.page({}, { limit: 50 });
    assert.ok(
      items.some(({ action, subject, actor }) => action === 'user.put' && subject === 'fred' && actor === 'root'),
    );
    assert.ok(!JSON.stringify(items).includes('several'));
  });

  it('change their own password, for which they need the present one', async (t) => {
    const service = await startService(t);
    const { users, access } = service.application;
    await users.put('fred', { role: 'viewer' }, PASSWORD);
    const { token } = await access.createToken({ name: 'ci', role: 'viewer' });
    const fred = as(service, basic('fred', PASSWORD));
    const change = { currentPassword: PASSWORD, password: 'other words entirely' };
    assert.equal(
      (await fred('PUT', '/me/password', { ...change, currentPassword: 'wrong' })).body.code,
      'password-wrong',
    );
    assert.equal((await fred('PUT', '/me/password', { ...change, password: 'fred' })).body.code, 'password-too-weak');
    const bearer = { authorization: `Bearer ${token}` };
    const refused = await as(service, bearer)('PUT', '/me/password', change);
    assert.equal(refused.body.code, 'password-kept-elsewhere');
    assert.equal((await fred('PUT', '/me/password', change)).status, 200);
    assert.equal((await fred('GET', '/me')).status, 401, 'the old one is remembered by nobody');
    assert.equal((await as(service, basic('fred', change.password))('GET', '/me')).status, 200);
  });

  it('have names that nobody else can be called by', async (t) => {
    const service = await startService(t);
    const { users, access } = service.application;
    await users.put('rené', { role: 'viewer' }, PASSWORD);
    for (const same of ['rené'.normalize('NFD'), 'RENÉ', 'ｒｅｎé']) {
      assert.equal((await as(service, basic(same, PASSWORD))('GET', '/me')).body.name, 'rené', same);
      assert.equal((await users.put(same, { role: 'viewer' })).created, false);
    }
    for (const name of [
      'hf_fred',
      'HF_fred',
      'local',
      'Anonymous',
      '',
      'a b',
      'a:b',
      'a/b',
      'fr\u00aded',
      'a\u200bb',
      '.a',
      'x'.repeat(65),
    ]) {
      await assert.rejects(users.put(name, { role: 'admin' }, PASSWORD), { code: 'user-name-invalid' }, name);
    }
    await assert.rejects(access.createToken({ name: 'René', role: 'viewer' }), { code: 'token-name-taken' });
    await access.createToken({ name: 'CI', role: 'viewer' });
    await assert.rejects(users.put('ci', { role: 'viewer' }, PASSWORD), { code: 'user-name-taken' });
    assert.equal((await users.list()).length, 1);
  });
});

describe('guesses', () => {
  it('are answered 429 after five, with a time to wait, and are in the audit log', async (t) => {
    const service = await startService(t);
    await service.application.users.put('fred', { role: 'viewer' }, PASSWORD);
    const statuses: number[] = [];
    for (let guess = 0; guess < 7; guess++) {
      statuses.push((await as(service, basic('fred', `guess ${guess}`))('GET', '/backups')).status);
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
    const shut = await as(service, basic('fred', PASSWORD))('GET', '/backups');
    assert.equal(shut.body.code, 'sign-in-blocked');
    const seconds = Number(shut.headers.get('retry-after'));
    assert.ok(seconds > 0 && seconds <= 60, String(seconds));
    const other = await as(service, basic('nobody', PASSWORD))('GET', '/backups');
    assert.equal(other.body.code, 'sign-in-blocked', 'from this address nobody signs in, known or not');
    assert.equal((await as(service, basic('fred', 'guess'))('GET', '/')).status, 200, 'what is open stays open');
    const { items } = await service.application.audit.page({}, { limit: 50 });
    const failed = items.filter(({ outcome, details }) => outcome === 'denied' && details.shownName === 'fred');
    assert.equal(failed.length, 9);
    assert.ok(!JSON.stringify(items).includes('guess '));
  });
});

describe('whoever may download less than everything', () => {
  it('cannot get around that by reading, listing or restoring backups whole, or by asking drills what is in them', async (t) => {
    const service = await startService(t);
    const { users, access } = service.application;
    const { token } = await access.createToken({ name: 'admin', role: 'admin' });
    const admin = as(service, { authorization: `Bearer ${token}` });
    const { body: backup } = await admin('POST', '/backups', { resourceId: 'shop', data: { secret: 1 } });
    const narrow = [
      { resources: ['shop'], variants: ['reduced'] },
      { resources: ['other'], variants: ['raw'] },
      { resources: ['shop'], variants: ['raw'], latestOnly: true },
      { resources: ['shop'], variants: ['raw'], limits: { concurrent: 1 } },
    ];
    const assertions = [{ jsonPath: '$.secret', equals: 0 }];
    const schedule = { resourceId: 'shop', kind: 'drill', cron: '@daily', assertions };
    const calls = [
      ['GET', `/backups/${backup.id}/content`],
      ['GET', `/backups/${backup.id}/entries`],
      ['POST', '/restore', { backupId: backup.id }],
      ['POST', '/restore/point-in-time', { resourceId: 'shop', timestamp: '2100-01-01T00:00:00Z' }],
      ['POST', '/resources/shop/drills', { assertions }],
      ['PUT', '/resources/shop', { service: 'document', assertions }],
      ['POST', '/schedules', schedule],
      ['PUT', '/schedules/ask', schedule],
    ] as const;
    for (const grants of [
      [],
      narrow,
      [{ resources: ['shop'], variants: ['raw'], expiresAt: '2020-01-01T00:00:00Z' }],
    ]) {
      await users.put('fred', { role: 'operator', grants }, PASSWORD);
      for (const [method, route, body] of calls) {
        const answer = await as(service, basic('fred', PASSWORD))(method, route, body);
        assert.equal(answer.body.code, 'content-not-granted', `${method} ${route}`);
      }
      const drill = await as(service, basic('fred', PASSWORD))('POST', '/resources/shop/drills', {});
      assert.equal(drill.status, 202, 'a drill that asks nothing says nothing of the data');
    }
    await users.put('fred', { role: 'operator', grants: [...narrow, { resources: ['sh*'], variants: ['raw'] }] });
    assert.equal((await as(service, basic('fred', PASSWORD))(...calls[0])).status, 200);
    assert.equal((await as(service, basic('fred', PASSWORD))(...calls[2])).status, 200);
    assert.equal((await as(service, basic('fred', PASSWORD))(...calls[4])).status, 202);
  });
});

describe('a token in the place of a password', () => {
  it('is the token, whatever the name, and a revoked one is asked of nobody else', async (t) => {
    const service = await startService(
      t,
      {},
      {
        providers: [
          {
            method: 'ldap',
            identify: async () => assert.fail('a token must not leave Holdfast'),
          },
        ],
      },
    );
    const { access } = service.application;
    const { token, record } = await access.createToken({ name: 'ci', role: 'viewer' });
    await access.createToken({ name: 'other', role: 'viewer' });
    for (const name of ['any', '', 'fred']) {
      assert.deepEqual((await as(service, basic(name, token))('GET', '/me')).body.name, 'ci');
    }
    await access.revokeToken(record.id);
    assert.equal((await as(service, basic('any', token))('GET', '/me')).status, 401);
  });

  it('carries what it was made with, and grants that cannot be are refused', async (t) => {
    const service = await startService(t);
    const { token } = await service.application.access.createToken({ name: 'admin', role: 'admin' });
    const admin = as(service, { authorization: `Bearer ${token}` });
    const grants = [
      { resources: ['shop-*'], variants: ['raw'], maxAgeDays: 7, expiresAt: '2999-01-01T01:00:00+01:00' },
    ];
    const made = await admin('POST', '/tokens', { name: 'narrow', role: 'developer', grants });
    assert.equal(made.status, 201);
    const kept = [{ ...grants[0], expiresAt: '2999-01-01T00:00:00.000Z' }];
    const me = await as(service, basic('any', made.body.token))('GET', '/me');
    assert.deepEqual(me.body, { name: 'narrow', role: 'developer', method: 'token', grants: kept });
    const wrong = [
      {},
      { resources: ['a'] },
      { ...grants[0], variants: [] },
      { ...grants[0], maxAgeDays: 0 },
      { ...grants[0], more: 1 },
    ];
    for (const grant of wrong) {
      const answer = await admin('POST', '/tokens', { name: 'wrong', role: 'developer', grants: [grant] });
      assert.equal(answer.status, 400, JSON.stringify(grant));
    }
  });

  it('never comes into the audit log, not even as a name', async (t) => {
    const service = await startService(t);
    const { token } = await service.application.access.createToken({ name: 'ci', role: 'viewer' });
    assert.equal((await as(service, basic(token, 'x'))('GET', '/me')).status, 401);
    assert.equal((await as(service, basic('fred', 'x'))('GET', '/me')).status, 401);
    const { items } = await service.application.audit.page({}, { limit: 10 });
    assert.equal(items.length, 2);
    assert.ok(!JSON.stringify(items).includes(token));
    assert.equal(
      items.filter(({ details, address }) => details.shownName === 'fred' && address === '127.0.0.1').length,
      1,
    );
  });
});
