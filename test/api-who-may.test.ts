import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { createHttpServer } from '../src/adapters/http/create-http-server.ts';
import type { Role } from '../src/core/access.ts';
import type { GrantRule } from '../src/core/identity-configuration.ts';
import { createArgon2Passwords } from '../src/identity/local/argon2-passwords.ts';
import { createLocalUsers } from '../src/identity/local/local-users.ts';
import { createProxyIdentity } from '../src/identity/proxy/proxy-identity.ts';
import { DAY, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

/** `everything`: only for callers who are not confined to some resources. */
type Expected = 'anyone' | Role | `${Role} of everything`;

/**
 * Who may call each route. A route that is not here fails the test: whoever adds one says here who may call it, and why a test must
 * not find somebody else who can.
 */
const WHO_MAY: Readonly<Record<string, Expected>> = {
  'GET /': 'anyone',
  'GET /health': 'anyone',
  'GET /openapi.json': 'anyone',
  'GET /docs': 'anyone',
  'GET /docs*': 'anyone',
  'GET /docs/json': 'anyone',
  'GET /docs/yaml': 'anyone',
  'GET /docs/static/index.html': 'anyone',
  'GET /docs/static/swagger-initializer.js': 'anyone',
  'GET /me': 'viewer',
  'PUT /me/password': 'viewer',
  'GET /services': 'viewer',
  'GET /metrics': 'viewer of everything',
  'GET /download': 'developer',
  'GET /download/:resource': 'developer',
  'POST /tickets': 'developer',
  // The ticket is what lets in, and nobody here has one.
  'GET /t/:ticket': 'anyone',
  'GET /snapshots': 'developer',
  'GET /backups': 'viewer',
  'POST /backups': 'operator',
  'GET /backups/:id': 'viewer',
  'PATCH /backups/:id': 'operator',
  'DELETE /backups/:id': 'operator',
  'POST /backups/:id/validate': 'developer',
  'GET /backups/:id/content': 'developer',
  'GET /backups/:id/entries': 'developer',
  'POST /restore': 'operator',
  'POST /restore/point-in-time': 'operator',
  'GET /restore/operations': 'viewer',
  'GET /restore/operations/:id': 'viewer',
  'GET /drills': 'viewer',
  'GET /drills/:id': 'viewer',
  'GET /drills/:id/report': 'viewer',
  'GET /resources': 'viewer',
  'POST /resources/test': 'operator',
  'GET /resources/:id': 'viewer',
  'PUT /resources/:id': 'operator',
  'DELETE /resources/:id': 'operator',
  'PUT /resources/:id/backups': 'operator',
  'POST /resources/:id/backups': 'operator',
  'POST /resources/:id/drills': 'operator',
  'GET /resources/:id/drills/summary': 'viewer',
  'POST /resources/:id/retention/apply': 'operator',
  'POST /resources/:id/test': 'operator',
  'POST /resources/:id/adopt': 'operator',
  'GET /resources/:id/log': 'viewer',
  'GET /resources/:id/variants': 'operator',
  'POST /resources/:id/snapshots/:snapshotId/variants/:variant': 'operator',
  'DELETE /resources/:id/snapshots/:snapshotId/variants/:variant': 'operator',
  'GET /operations': 'viewer',
  'GET /operations/:id': 'viewer',
  'GET /operations/:id/events': 'viewer',
  'POST /operations/:id/cancel': 'operator',
  'GET /policies': 'viewer',
  'POST /policies': 'operator of everything',
  'POST /policies/preview': 'viewer',
  'GET /policies/:id': 'viewer',
  'PUT /policies/:id': 'operator of everything',
  'DELETE /policies/:id': 'operator of everything',
  'GET /schedules': 'viewer',
  'POST /schedules': 'operator',
  'GET /schedules/:id': 'viewer',
  'PUT /schedules/:id': 'operator',
  'DELETE /schedules/:id': 'operator',
  'GET /repositories': 'admin of everything',
  'GET /repositories/:id': 'admin of everything',
  'POST /repositories/:id/prune': 'admin of everything',
  'POST /repositories/:id/repair': 'admin of everything',
  'GET /repositories/:id/trash': 'admin of everything',
  'POST /repositories/:id/trash/:backupId/restore': 'admin of everything',
  'GET /repositories/:id/keys': 'admin of everything',
  'POST /repositories/:id/verify': 'admin of everything',
  'GET /copies': 'admin of everything',
  'POST /copies/:id/sync': 'admin of everything',
  'GET /tokens': 'admin of everything',
  'POST /tokens': 'admin of everything',
  'DELETE /tokens/:id': 'admin of everything',
  'GET /users': 'admin of everything',
  'GET /users/:name': 'admin of everything',
  'PUT /users/:name': 'admin of everything',
  'DELETE /users/:name': 'admin of everything',
  'GET /audit': 'admin of everything',
  'POST /audit/verify': 'admin of everything',
};

const ROLES: readonly Role[] = ['viewer', 'developer', 'operator', 'admin'];
const PASSWORD = 'several words: nobody guesses';
const PROXY = { addresses: ['192.0.2.1'], userHeader: 'x-user' };
const RULES: readonly GrantRule[] = [
  { subjects: ['user:mixed'], role: 'operator', resources: ['x'], variants: ['raw'] },
  { subjects: ['user:mixed'], role: 'viewer', resources: ['*'], variants: [] },
  {
    subjects: ['user:late'],
    role: 'admin',
    resources: ['*'],
    variants: ['raw'],
    expiresAt: '2020-01-01T00:00:00.000Z',
  },
];

interface Caller {
  headers: Record<string, string>;
  /** Where the door sees the request come from. */
  remoteAddress?: string;
  /** The status that the door answers with; undefined where it lets the caller through. */
  refusedWith(role: Role, ofEverything: boolean): number | undefined;
}

const includes = (role: Role, needed: Role) => ROLES.indexOf(role) >= ROLES.indexOf(needed);
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}` });
const nobody = () => 401;

describe('who may call which route', () => {
  let managed: ManagedApplication;
  let server: FastifyInstance;
  let remove: () => Promise<void>;
  const callers: Record<string, Caller> = {
    'no credentials': { headers: {}, refusedWith: nobody },
    'an unknown token': { headers: { authorization: `Bearer hf_${'x'.repeat(43)}` }, refusedWith: nobody },
    'an unknown user': { headers: basic('stranger'), refusedWith: nobody },
    'an expired user': { headers: basic('expired'), refusedWith: nobody },
    'a disabled user': { headers: basic('disabled'), refusedWith: nobody },
    'a confined admin': {
      headers: basic('confined'),
      refusedWith: (_role, ofEverything) => (ofEverything ? 403 : undefined),
    },
    'operator of one, viewer of all': {
      headers: { 'x-user': 'mixed' },
      remoteAddress: '192.0.2.1',
      refusedWith: (role, ofEverything) =>
        role === 'viewer' || (includes('operator', role) && !ofEverything) ? undefined : 403,
    },
    'one whose rules have expired': {
      headers: { 'x-user': 'late' },
      remoteAddress: '192.0.2.1',
      refusedWith: () => 403,
    },
    "one who writes a proxy's header": { headers: { 'x-user': 'mixed' }, refusedWith: nobody },
  };

  before(async () => {
    const temporary = await temporaryFolder();
    remove = temporary.remove;
    const passwords = createArgon2Passwords({ memoryKiB: 64, passes: 1, parallelism: 1 });
    const configuration = { identity: { proxy: PROXY, grants: RULES } };
    managed = await openManagedApplication(temporary.folder, {
      configuration,
      identity: async ({ catalogue: { users }, clock }) => ({
        passwords,
        providers: [
          createLocalUsers({ users, passwords, clock }),
          await createProxyIdentity({ proxy: PROXY, rules: RULES, clock, resolveSecret: async () => '' }),
        ],
        refusalMilliseconds: 1,
      }),
    });
    const { users, access } = managed.application;
    for (const role of ROLES) {
      await users.put(`the-${role}`, { role }, PASSWORD);
      const refusedWith = (needed: Role) => (includes(role, needed) ? undefined : 403);
      callers[`a user, ${role}`] = { headers: basic(`the-${role}`), refusedWith };
      const { token } = await access.createToken({ name: `token-${role}`, role });
      callers[`a token, ${role}`] = { headers: { authorization: `Bearer ${token}` }, refusedWith };
    }
    await users.put('confined', { role: 'admin', resources: ['x'] }, PASSWORD);
    await users.put('expired', { role: 'admin', expiresAt: '2020-01-01T00:00:00.000Z' }, PASSWORD);
    await users.put('disabled', { role: 'admin', disabled: true }, PASSWORD);
    const { token } = await access.createToken({ name: 'gone', role: 'admin', expiresInDays: 1 });
    callers['an expired token'] = { headers: { authorization: `Bearer ${token}` }, refusedWith: nobody };
    managed.advance(2 * DAY);
    server = await createHttpServer({
      application: managed.application,
      configuration: managed.configuration,
      logger: pino({ level: 'silent' }),
    });
  });
  after(async () => {
    await server.close();
    await managed.application.close(0);
    await remove();
  });

  it('is stated for every route that there is, and for no other', () => {
    assert.deepEqual(
      routesOf(server)
        .filter((route) => !route.startsWith('HEAD '))
        .sort(),
      Object.keys(WHO_MAY).sort(),
    );
  });

  it('holds for every kind of caller', async () => {
    const routes = routesOf(server);
    for (const [who, caller] of Object.entries(callers)) {
      for (const route of routes) {
        const [method = '', path = ''] = route.split(' ');
        const expected = WHO_MAY[route.replace(/^HEAD/, 'GET')];
        assert.ok(expected, route);
        const [role, ...rest] = expected.split(' ') as [Role | 'anyone', ...string[]];
        const refusal = role === 'anyone' ? undefined : caller.refusedWith(role, rest.length > 0);
        const { headers, remoteAddress } = caller;
        const url = path.replaceAll(/:\w+|\*$/g, 'x');
        const answer = await server.inject({
          method: method as 'GET',
          url,
          headers,
          ...(remoteAddress === undefined ? {} : { remoteAddress }),
        });
        const got = [401, 403, 429].includes(answer.statusCode) ? answer.statusCode : undefined;
        assert.equal(got, refusal, `${who}: ${route} answers ${answer.statusCode} ${answer.body.slice(0, 200)}`);
        // Else those who are refused again and again would be told to wait.
        managed.advance(2 * DAY);
      }
    }
  });

  it('lets confined callers see nothing of what is not theirs, on any route', async () => {
    const { backups, resources } = managed.application;
    const input = (async function* () {
      yield Buffer.from('{"foreign":"data of others"}');
    })();
    const backup = await backups.createPosted({ resourceId: 'foreign', service: 'document', input, createdBy: 'test' });
    assert.equal((await resources.get('foreign')).id, 'foreign');
    for (const route of routesOf(server)) {
      const [method = '', path = ''] = route.split(' ');
      for (const id of [...new Set(path.includes(':id') ? ['foreign', backup.id] : ['x'])]) {
        const url = path.replace(':id', id).replaceAll(/:\w+|\*$/g, 'x');
        const answer = await server.inject({ method: method as 'GET', url, headers: basic('confined') });
        if (path.includes(':id')) assert.ok(answer.statusCode >= 400, `${route} ${id} answers ${answer.statusCode}`);
        const told = answer.body.replaceAll(url, '').replaceAll(id, '');
        assert.ok(!told.includes('foreign') && !told.includes('data of others'), `${route} ${id}: ${told}`);
      }
    }
    assert.equal((await backups.get(backup.id)).id, backup.id, 'and it is still there');
  });
});

/** All routes that Fastify knows, such as `GET /backups/:id`. */
function routesOf(server: FastifyInstance): string[] {
  const above: string[] = [];
  return server
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', label = '', methods] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
      const depth = indent.length / 4;
      above.length = depth;
      above[depth] = label;
      return (methods?.split(', ') ?? []).map((method) => `${method} ${above.join('')}`);
    });
}
