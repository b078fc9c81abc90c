import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { createHttpServer } from '../src/adapters/http/create-http-server.ts';
import { httpConfiguration, memoryApplication } from './api-memory-application.ts';

interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  responses: Record<string, { description: string; content: Record<string, { schema: object }> }>;
}

describe('the documentation', () => {
  let server: FastifyInstance;
  // biome-ignore lint/suspicious/noExplicitAny: a document that is looked at in many places.
  let document: any;
  before(async () => {
    const { application } = memoryApplication();
    const logger = pino({ level: 'silent' });
    server = await createHttpServer({ application, configuration: httpConfiguration(), logger });
    document = (await server.inject('/openapi.json')).json();
  });
  after(() => server.close());

  it('is OpenAPI 3.1 and names its security', () => {
    assert.equal(document.openapi, '3.1.0');
    assert.equal(document.components.securitySchemes.bearerToken.scheme, 'bearer');
  });

  it('describes every route in full, each under a name of its own', () => {
    const operations = Object.values<Record<string, Operation>>(document.paths).flatMap((methods) =>
      Object.values(methods),
    );
    assert.ok(operations.length > 40);
    assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
    for (const operation of operations) {
      assert.ok(operation.summary.length > 3 && operation.description.length > 10, operation.operationId);
      assert.equal(operation.tags.length, 1);
      const statuses = Object.keys(operation.responses);
      assert.ok(statuses.includes('default') && statuses.length > 1, operation.operationId);
      for (const answer of Object.values(operation.responses)) {
        assert.ok(answer.description.length > 0, operation.operationId);
        assert.ok(Object.values(answer.content)[0]?.schema, operation.operationId);
      }
    }
  });

  it('says that the type of a problem is no address, as who opens it is told', async () => {
    const { type, code } = document.components.schemas.Problem.properties;
    assert.match(type.description, /no address/);
    assert.match(code.description, /Stable/);
    assert.match(document.info.description, /`type` names the same as `code` and is no address/);
    const opened = await server.inject('/problems/backup-not-found');
    assert.deepEqual([opened.statusCode, opened.json().code], [404, 'route-not-found']);
    assert.match(opened.json().detail, /names its sort and is no address/);
  });

  it('refers to nothing that is not in it', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    assert.ok(references.length > 40);
    for (const [, name] of references) assert.ok(document.components.schemas[String(name)], String(name));
  });

  it('shows the examples of the specification', () => {
    const body = document.paths['/backups'].post.requestBody.content['application/json'];
    assert.equal(body.example.resourceId, 'database-1');
    assert.equal(document.components.schemas.Backup.examples[0].compressionRatio, 75);
    assert.equal(document.paths['/restore'].post.requestBody.content['application/json'].example.backupId, 'backup-1');
  });

  it('has a page that needs nothing from elsewhere', async () => {
    const page = await server.inject('/docs');
    assert.match(String(page.headers['content-security-policy']), /^default-src 'self'/);
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => String(asset));
    assert.ok(assets.length >= 4);
    for (const asset of assets) {
      assert.match(asset, /^\/docs\//);
      assert.equal((await server.inject(asset)).statusCode, 200, asset);
    }
    const initialiser = assets.find((asset) => asset.includes('initializer'));
    assert.match((await server.inject(String(initialiser))).body, /\/openapi\.json/);
  });
});
