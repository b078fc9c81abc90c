import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { pino } from 'pino';
import { createHttpServer } from '../src/adapters/http/create-http-server.ts';
import { serve } from '../src/adapters/http/serve.ts';
import type { Role } from '../src/core/access.ts';
import type { Configuration } from '../src/core/configuration.ts';
import { httpConfiguration, type MemoryApplication, memoryApplication } from './api-memory-application.ts';

const LOGGER = pino({ level: 'silent' });

async function serverOf(memory: MemoryApplication, server: Partial<Configuration['server']> = {}) {
  return createHttpServer({
    application: memory.application,
    configuration: httpConfiguration(server),
    logger: LOGGER,
  });
}

function posted(body: unknown, headers: Record<string, string> = {}): InjectOptions {
  return { method: 'POST', url: '/backups', payload: JSON.stringify(body), headers };
}

describe('the door without credentials', () => {
  let memory: MemoryApplication;
  let server: FastifyInstance;
  before(async () => {
    memory = memoryApplication();
    server = await serverOf(memory, { allowedHosts: ['backups.lan'] });
  });
  after(() => server.close());

  it('takes a caller of this machine for its admin and names it in the audit log', async () => {
    const answer = await server.inject(posted({ resourceId: 'a', data: {} }));
    assert.equal(answer.statusCode, 201);
    const { actor, action, subject, outcome } = memory.audit.at(-1)!;
    assert.deepEqual(
      { actor, action, subject, outcome },
      {
        actor: 'local',
        action: 'backup.create',
        subject: 'a',
        outcome: 'success',
      },
    );
  });

  it('refuses other hosts, other sites and other machines, says why, and records it', async () => {
    const refusals: [InjectOptions, string][] = [
      [{ url: '/backups', headers: { host: 'evil.example' } }, 'host-not-allowed'],
      [{ url: '/backups', headers: { host: 'localhost', origin: 'https://evil.example' } }, 'cross-site-request'],
      [{ url: '/backups', remoteAddress: '192.168.1.9' }, 'not-loopback'],
      [{ url: '/', remoteAddress: '192.168.1.9' }, 'not-loopback'],
    ];
    for (const [request, code] of refusals) {
      const answer = await server.inject(request);
      assert.equal(answer.statusCode, 403);
      assert.equal(answer.json().code, code);
      assert.match(answer.json().detail, /holdfast token create/);
      assert.equal(memory.audit.at(-1)?.outcome, 'denied');
    }
    assert.equal((await server.inject({ url: '/backups', headers: { host: 'backups.lan:80' } })).statusCode, 200);
  });

  it('does not listen where others could reach it', async () => {
    const configuration = httpConfiguration({ host: '0.0.0.0' });
    await assert.rejects(serve(memory.application, configuration, LOGGER), { code: 'credentials-required' });
  });
});

describe('the door with credentials', () => {
  let memory: MemoryApplication;
  let server: FastifyInstance;
  before(async () => {
    memory = memoryApplication();
    for (const role of ['viewer', 'developer', 'operator', 'admin'] as Role[]) {
      memory.principals.set(`hf_${role}`, { name: role, role });
    }
    memory.principals.set('hf_confined', { name: 'confined', role: 'admin', resources: ['shop-*'] });
    server = await serverOf(memory);
  });
  after(() => server.close());

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it('tells everybody little and known callers more', async () => {
    for (const url of ['/', '/health', '/openapi.json', '/docs']) {
      assert.equal((await server.inject({ url, remoteAddress: '203.0.113.9' })).statusCode, 200, url);
    }
    assert.deepEqual((await server.inject('/health')).json(), { status: 'ok' });
    assert.equal('version' in (await server.inject('/')).json(), false);
    assert.equal((await server.inject({ url: '/', headers: bearer('hf_viewer') })).json().version, '0.0.0');
  });

  it('asks for credentials, and says so by the book', async () => {
    const without = await server.inject('/backups');
    assert.equal(without.statusCode, 401);
    const challenges = ['Basic realm="holdfast", charset="UTF-8"', 'Bearer realm="holdfast"'];
    assert.deepEqual(without.headers['www-authenticate'], challenges);
    assert.equal(without.headers['content-type'], 'application/problem+json; charset=utf-8');
    for (const authorization of ['Bearer hf_wrong', 'Basic aGY6eA==', 'Bearer', `Bearer ${'x'.repeat(600)}`]) {
      const answer = await server.inject({ url: '/backups', headers: { authorization } });
      assert.equal(answer.statusCode, 401);
      assert.match(String(answer.headers['www-authenticate']), /invalid_token/);
    }
  });

  it('lets each role do what it may, and nothing more', async () => {
    const status = async (token: string, request: InjectOptions) =>
      (await server.inject({ ...request, headers: { ...request.headers, ...bearer(token) } })).statusCode;
    assert.equal(await status('hf_viewer', { url: '/backups' }), 200);
    assert.equal(await status('hf_viewer', posted({ resourceId: 'a', data: 1 })), 403);
    assert.equal(await status('hf_developer', posted({ resourceId: 'a', data: 1 })), 403);
    assert.equal(await status('hf_operator', posted({ resourceId: 'a', data: 1 })), 201);
    assert.equal(await status('hf_viewer', { url: '/backups/backup-1/content' }), 403);
    assert.equal(await status('hf_operator', { url: '/tokens' }), 403);
    const denied = memory.audit.at(-1);
    assert.equal(denied?.actor, 'operator');
    assert.equal(denied?.outcome, 'denied');
  });

  it('shows confined callers nothing of what is not theirs', async () => {
    memory.backups.clear();
    await server.inject(posted({ resourceId: 'other', data: 1 }, bearer('hf_admin')));
    const headers = bearer('hf_confined');
    const hidden = await server.inject({ url: '/backups/backup-1', headers });
    const absent = await server.inject({ url: '/backups/backup-7', headers });
    assert.equal(hidden.statusCode, 404);
    assert.deepEqual(
      { ...hidden.json<Record<string, unknown>>(), requestId: '' },
      JSON.parse(absent.body.replaceAll('backup-7', 'backup-1').replace(absent.json().requestId, '')),
    );
    assert.equal(
      (await server.inject(posted({ resourceId: 'other', data: 1 }, headers))).json().code,
      'resource-not-granted',
    );
    assert.equal((await server.inject(posted({ resourceId: 'shop-1', data: 1 }, headers))).statusCode, 201);
    assert.equal((await server.inject({ url: '/tokens', headers })).json().code, 'credentials-confined');
  });

  it('records a bounded number of calls of strangers', async () => {
    memory.audit.length = 0;
    for (let call = 0; call < 100; call++) await server.inject('/backups');
    assert.equal(memory.audit.length <= 60, true);
    assert.equal(memory.audit.length > 0, true);
  });
});

describe('every route', () => {
  it('says who may call it; the server does not start otherwise', async () => {
    const memory = memoryApplication();
    const server = await serverOf(memory);
    const roles = new Set<string | undefined>();
    for (const [path, methods] of Object.entries<Record<string, { security: unknown[]; description: string }>>(
      (await server.inject('/openapi.json')).json().paths,
    )) {
      for (const [method, operation] of Object.entries(methods)) {
        const route = server.findRoute({
          method: method.toUpperCase() as 'GET',
          url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
        });
        assert.ok(route !== null, `${method} ${path} is documented and not there`);
        const role = /Needs the role `(\w+)`/.exec(operation.description)?.[1];
        roles.add(role);
        assert.equal(role === undefined, operation.security.length === 0, `${method} ${path}`);
      }
    }
    assert.deepEqual([...roles].map(String).sort(), ['admin', 'developer', 'operator', 'undefined', 'viewer']);
    await server.close();
  });

  it('that changes something or gives content goes to the audit log', async () => {
    const memory = memoryApplication();
    memory.principals.set('hf_admin', { name: 'admin', role: 'admin' });
    const server = await serverOf(memory);
    const { paths } = (await server.inject('/openapi.json')).json() as { paths: Record<string, object> };
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const readsOnly = ['/policies/preview', '/audit/verify'].includes(path);
        if ((method === 'get' && !path.endsWith('/content') && !path.endsWith('/entries')) || readsOnly) continue;
        memory.audit.length = 0;
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        await server.inject({
          method: method.toUpperCase() as 'GET',
          url,
          headers: { authorization: 'Bearer hf_admin' },
        });
        assert.equal(memory.audit.length, 1, `${method} ${path}`);
        assert.match(memory.audit[0]!.action, /^[a-z]+\.[a-z]+$/, `${method} ${path}`);
      }
    }
    await server.close();
  });
});

describe('Idempotency-Key', () => {
  let memory: MemoryApplication;
  let server: FastifyInstance;
  before(async () => {
    memory = memoryApplication();
    server = await serverOf(memory);
  });
  after(() => server.close());

  it('gives the first answer again instead of doing the work again', async () => {
    const headers = { 'idempotency-key': 'one' };
    const first = await server.inject(posted({ resourceId: 'a', data: 1 }, headers));
    const second = await server.inject(posted({ resourceId: 'a', data: 1 }, headers));
    assert.equal(second.statusCode, 201);
    assert.equal(second.body, first.body);
    assert.equal(second.headers.location, first.headers.location);
    assert.equal(second.headers['content-type'], first.headers['content-type']);
    assert.equal(first.headers['idempotency-replayed'], undefined);
    assert.equal(second.headers['idempotency-replayed'], 'true');
    assert.equal(memory.backups.size, 1);
  });

  it('refuses the key for another body, and a malformed key', async () => {
    const headers = { 'idempotency-key': 'one' };
    const other = await server.inject(posted({ resourceId: 'a', data: 2 }, headers));
    assert.equal(other.statusCode, 422);
    assert.equal(other.json().code, 'idempotency-key-reused');
    const malformed = await server.inject(posted({ resourceId: 'a', data: 2 }, { 'idempotency-key': 'a b' }));
    assert.equal(malformed.json().code, 'idempotency-key-invalid');
  });

  it('lets a request that failed be tried again', async () => {
    const headers = { 'idempotency-key': 'two' };
    assert.equal((await server.inject(posted({ resourceId: 'a', bogus: 1 }, headers))).statusCode, 400);
    assert.equal((await server.inject(posted({ resourceId: 'a', data: 1 }, headers))).statusCode, 201);
  });

  it('answers 409 while the first request is under way', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const slow = memoryApplication();
    const { createPosted } = slow.application.backups;
    slow.application.backups.createPosted = async (request) => {
      await held;
      return createPosted(request);
    };
    const slowServer = await serverOf(slow);
    const headers = { 'idempotency-key': 'three' };
    // A request that is injected starts when somebody waits for it.
    const first = slowServer.inject(posted({ resourceId: 'a', data: 1 }, headers)).then((answer) => answer);
    const second = await slowServer.inject(posted({ resourceId: 'a', data: 1 }, headers));
    assert.equal(second.statusCode, 409);
    assert.equal(second.json().code, 'idempotency-key-in-progress');
    release();
    assert.equal((await first).statusCode, 201);
    await slowServer.close();
  });
});

describe('requests that are not as they should be', () => {
  let server: FastifyInstance;
  before(async () => {
    server = await serverOf(memoryApplication(), { documentLimitBytes: 2000, bodyLimitBytes: 1000 });
  });
  after(() => server.close());

  const cases: [string, InjectOptions, number, string][] = [
    ['an unknown field', posted({ resourceId: 'a', data: 1, bogus: 1 }), 400, 'bogus: unknown field'],
    ['an unknown field of the metadata', posted({ resourceId: 'a', data: 1, metadata: { x: 1 } }), 400, 'metadata.x'],
    ['a missing resource id', posted({ data: 1 }), 400, 'resourceId'],
    ['missing data', posted({ resourceId: 'a' }), 400, 'data'],
    ['an id with a line break', posted({ resourceId: 'a\nb', data: 1 }), 400, 'resourceId'],
    ['an unknown type', posted({ resourceId: 'a', type: 'huge', data: 1 }), 400, 'type'],
    [
      'retention of no days',
      posted({ resourceId: 'a', data: 1, metadata: { retentionDays: 0 } }),
      400,
      'retentionDays',
    ],
    ['too large a document', posted({ resourceId: 'a', data: 'x'.repeat(2000) }), 413, '2000'],
    [
      'too large a body',
      { method: 'POST', url: '/restore', payload: `{"backupId":"${'x'.repeat(1000)}"}` },
      413,
      '1000',
    ],
    ['no body', { method: 'POST', url: '/backups' }, 400, 'no body'],
    ['a body that is no JSON', { method: 'POST', url: '/backups', payload: '{resourceId}' }, 400, 'line 1'],
    ['a key twice', { method: 'POST', url: '/restore', payload: '{"backupId":"a","backupId":"b"}' }, 400, 'backupId'],
    ['a key twice around a document', { method: 'POST', url: '/backups', payload: '{"data":1,"data":2}' }, 400, 'data'],
    ['a prototype', { method: 'POST', url: '/restore', payload: '{"backupId":"a","__proto__":{}}' }, 400, '__proto__'],
    ['too deep a body', { method: 'POST', url: '/restore', payload: '['.repeat(200) }, 400, 'deeper'],
    ['an unknown query parameter', { url: '/backups?resource=a' }, 400, 'resource: unknown query parameter'],
    ['a malformed date', { url: '/backups?from=yesterday' }, 400, 'from'],
    ['an id with a NUL', { url: '/backups/a%00b' }, 400, 'id'],
    ['a malformed path', { url: '/backups/%zz' }, 400, '%zz'],
    ['an unknown path', { url: '/backup' }, 404, '/docs'],
    ['an unknown method', { method: 'DELETE', url: '/backups' }, 405, 'DELETE'],
    ['an unknown backup', { url: '/backups/backup-0' }, 404, 'backup-0'],
    [
      'another media type',
      { method: 'POST', url: '/restore', payload: '<a/>', headers: { 'content-type': 'text/xml' } },
      415,
      'text/xml',
    ],
  ];
  for (const [what, request, status, mention] of cases) {
    it(`get a problem that names it: ${what}`, async () => {
      const answer = await server.inject(request);
      assert.equal(answer.statusCode, status, answer.body);
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json/);
      const problem = answer.json();
      assert.ok(problem.detail.includes(mention), problem.detail);
      assert.equal(problem.type, `/problems/${problem.code}`);
      assert.equal(problem.status, status);
      assert.ok(problem.requestId.length > 0);
    });
  }

  it('name the methods that are allowed', async () => {
    assert.equal((await server.inject({ method: 'DELETE', url: '/backups' })).headers.allow, 'GET, HEAD, POST');
  });

  it('carry the request id of the caller', async () => {
    const answer = await server.inject({ url: '/backups/backup-0', headers: { 'x-request-id': 'mine-1' } });
    assert.equal(answer.headers['x-request-id'], 'mine-1');
    assert.equal(answer.json().requestId, 'mine-1');
    const hostile = await server.inject({ url: '/health', headers: { 'x-request-id': 'a"b' } });
    assert.match(String(hostile.headers['x-request-id']), /^request-/);
  });
});

describe('limits', () => {
  it('let bodies without a media type and those of curl be JSON', async () => {
    const server = await serverOf(memoryApplication());
    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain;charset=UTF-8',
      'application/merge-patch+json',
    ]) {
      const answer = await server.inject(posted({ resourceId: 'a', data: {} }, { 'content-type': type }));
      assert.equal(answer.statusCode, 201, type);
    }
    await server.close();
  });

  it('refuse one transfer more than there are places, and let it in when one is free', async () => {
    const memory = memoryApplication();
    const server = await serverOf(memory, { maxConcurrentTransfers: 1 });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = server.server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/resources/a/backups`;
    const body = new PassThrough();
    body.write('first');
    const first = fetch(url, { method: 'PUT', body: Readable.toWeb(body), duplex: 'half' } as RequestInit);
    const upload = async () => fetch(url, { method: 'PUT', body: Buffer.alloc(2 * 1024 * 1024) });
    let busy = await upload();
    for (let attempt = 0; attempt < 100 && busy.status === 201; attempt++) busy = await upload();
    assert.equal(busy.status, 429);
    assert.equal(busy.headers.get('retry-after'), '2');
    assert.equal(((await busy.json()) as { code: string }).code, 'transfers-busy');
    body.end();
    assert.equal((await first).status, 201);
    let later = await upload();
    for (let attempt = 0; attempt < 100 && later.status === 429; attempt++) later = await upload();
    assert.equal(later.status, 201);
    await server.close();
  });

  it('refuse an address that sends too many requests', async () => {
    const server = await serverOf(memoryApplication(), { requestsPerMinute: 3 });
    const statuses: number[] = [];
    for (let call = 0; call < 5; call++) statuses.push((await server.inject('/health')).statusCode);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    await server.close();
  });

  it('record a bounded number of those that are too many', async () => {
    const memory = memoryApplication();
    const server = await serverOf(memory, { requestsPerMinute: 1 });
    for (let call = 0; call < 100; call++) await server.inject({ method: 'DELETE', url: '/backups/x' });
    const refused = memory.audit.filter(({ details }) => details?.status === 429);
    assert.ok(refused.length > 0 && refused.length <= 60, String(refused.length));
    assert.ok(refused.every(({ actor }) => actor === 'anonymous'));
    await server.close();
  });
});
