import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { createHttpServer } from '../src/adapters/http/create-http-server.ts';
import type { Application } from '../src/core/application.ts';
import { HoldfastError } from '../src/core/errors.ts';
import { httpConfiguration, type MemoryApplication, memoryApplication } from './api-memory-application.ts';

describe('testing resources by HTTP', () => {
  let memory: MemoryApplication;
  let server: FastifyInstance;
  const checks = [
    { name: 'server', outcome: 'failed', message: 'db:5432 cannot be reached.', advice: 'Start it.' },
    { name: 'repository', outcome: 'ok', message: 'It can be written.' },
  ] as const;
  before(async () => {
    memory = memoryApplication({
      resources: {
        get: async (id: string) => {
          if (id.startsWith('shop')) return { id, service: 'files' };
          throw new HoldfastError('not-found', 'resource-not-found', 'No such resource.');
        },
        test: async (what: object) => {
          if ('service' in what && what.service === 'nothing')
            throw new HoldfastError('unsupported', 'service-unknown', 'There is no such service.');
          return { ok: false, checks };
        },
      } as unknown as Application['resources'],
    });
    for (const role of ['operator', 'developer'] as const) memory.principals.set(`hf_${role}`, { name: role, role });
    memory.principals.set('hf_confined', { name: 'confined', role: 'operator', resources: ['shop-1'] });
    server = await createHttpServer({
      application: memory.application,
      configuration: httpConfiguration(),
      logger: pino({ level: 'silent' }),
    });
  });
  after(() => server.close());

  const call = (url: string, token: string, body?: object) =>
    server.inject({
      method: 'POST',
      url,
      headers: { authorization: `Bearer hf_${token}` },
      ...(body === undefined ? {} : { payload: body }),
    });

  it('answers 200 with what was found, though a check failed, and records it', async () => {
    const answer = await call('/resources/shop-1/test', 'operator');
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(answer.json(), { resourceId: 'shop-1', ok: false, checks });
    const { action, subject, outcome, details } = memory.audit.at(-1)!;
    assert.deepEqual([action, subject, outcome], ['resource.test', 'shop-1', 'success']);
    assert.deepEqual(details?.failed, ['server']);
  });

  it('tests a configuration that is not saved', async () => {
    const answer = await call('/resources/test', 'operator', { service: 'files', configuration: { paths: ['/srv'] } });
    assert.deepEqual(answer.json(), { ok: false, checks });
    assert.equal((await call('/resources/test', 'operator', { service: 'nothing' })).statusCode, 422);
    assert.equal((await call('/resources/test', 'operator', { service: 'files', bogus: 1 })).statusCode, 400);
  });

  it('is for those who may start a backup of that resource', async () => {
    assert.equal((await call('/resources/shop-1/test', 'developer')).statusCode, 403);
    assert.equal((await call('/resources/shop-1/test', 'confined')).statusCode, 200);
    assert.equal((await call('/resources/shop-2/test', 'confined')).statusCode, 403);
    assert.equal((await call('/resources/test', 'confined', { service: 'files' })).json().code, 'credentials-confined');
    assert.equal((await call('/resources/nobody/test', 'operator')).statusCode, 404);
  });

  it('a restore into another resource needs the right to that one too', async () => {
    const posted = await call('/backups', 'confined', { resourceId: 'shop-1', data: {} });
    assert.equal(posted.statusCode, 201);
    const backupId = posted.json().id;
    for (const [url, body] of [
      ['/restore', { backupId }],
      ['/restore/point-in-time', { resourceId: 'shop-1', timestamp: '2999-01-01T00:00:00Z' }],
    ] as const) {
      const refused = await call(url, 'confined', { ...body, createdBy: 'me', targetResourceId: 'shop-2' });
      assert.deepEqual([refused.statusCode, refused.json().code], [403, 'resource-not-granted']);
    }
  });
});
