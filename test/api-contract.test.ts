import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { type RunningService, startService } from './api-service.ts';
import { type Answer, documentedCall } from './documented-call.ts';
import { skipWithout } from './installed-programs.ts';

/** The requests and answers of the specification that this API grew from; clients rely on every field of them. */
const FULL = {
  resourceId: 'database-1',
  resourceType: 'postgresql',
  type: 'full',
  data: {
    tables: { users: [{ id: 1, name: 'Alice' }], products: [{ id: 1, name: 'Widget' }] },
    schemas: ['public'],
    version: '14.0',
  },
  metadata: {
    version: '1.0',
    source: 'automated',
    tags: { env: 'production', app: 'ecommerce' },
    retentionDays: 30,
  },
  encrypt: true,
};
const INCREMENTAL = {
  ...FULL,
  type: 'incremental',
  data: {
    ...FULL.data,
    tables: {
      users: [
        { id: 1, name: 'Alice' },
        { id: 2, name: 'Bob' },
      ],
      products: [{ id: 1, name: 'Widget' }],
    },
  },
  metadata: { version: '1.0', source: 'automated', tags: { env: 'production' }, retentionDays: 7 },
  encrypt: undefined,
};
const BACKUP_FIELDS = [
  'id',
  'resourceId',
  'resourceType',
  'type',
  'status',
  'size',
  'compressedSize',
  'compressionRatio',
  'encrypted',
  'checksum',
  'data',
  'createdAt',
  'completedAt',
  'expiresAt',
];

const SKIP_WORKFLOW = skipWithout({ bash: 'bash', curl: 'curl', jq: 'jq' });

describe('the API of the specification', () => {
  let service: RunningService;
  const cleanups: (() => unknown)[] = [];
  before(async () => {
    service = await startService({ after: (cleanup) => void cleanups.push(cleanup as () => unknown) });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const call = (method: string, route: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    documentedCall(service.url, method, route, { body, headers });

  let fullId = '';
  let incrementalId = '';

  it('tells what it is and how it is', async () => {
    assert.equal((await call('GET', '/')).body.name, 'Holdfast');
    const health = await call('GET', '/health');
    assert.equal(health.status, 200);
    assert.equal(health.body.status, 'ok');
  });

  it('creates a full backup and answers with the documented fields in their order', async () => {
    const { status, headers, body } = await call('POST', '/backups', FULL);
    assert.equal(status, 201);
    fullId = body.id;
    assert.equal(headers.get('location'), `/backups/${fullId}`);
    assert.deepEqual(Object.keys(body).slice(0, BACKUP_FIELDS.length), BACKUP_FIELDS);
    assert.equal(body.status, 'completed');
    assert.equal(body.encrypted, true);
    assert.equal(body.data, '[REDACTED]');
    assert.match(body.checksum, /^sha256:[0-9a-f]{64}$/);
    assert.equal(body.compressionRatio, Math.round((1 - body.compressedSize / body.size) * 100));
    assert.equal(Date.parse(body.expiresAt) - Date.parse(body.createdAt), 30 * 86_400_000);
    assert.doesNotMatch(JSON.stringify(body), /Alice/);
  });

  it('creates an incremental backup that is smaller and knows its base', async () => {
    const { status, body } = await call('POST', '/backups', INCREMENTAL);
    assert.equal(status, 201);
    incrementalId = body.id;
    assert.equal(body.type, 'incremental');
    assert.equal(body.parentId, fullId);
    assert.equal(body.encrypted, true);
  });

  it('creates a differential backup', async () => {
    const { status, body } = await call('POST', '/backups', { ...INCREMENTAL, type: 'differential' });
    assert.equal(status, 201);
    assert.equal(body.parentId, fullId);
  });

  it('reads a body without a media type as JSON, and leaves data in the clear where that is asked for', async () => {
    const { status, body } = await call(
      'POST',
      '/backups',
      '{"resourceId":"test","resourceType":"test","data":{},"encrypt":false}',
      { 'content-type': 'application/x-www-form-urlencoded' },
    );
    assert.equal(status, 201);
    assert.equal(body.encrypted, false);
    assert.equal(body.type, 'full');
    assert.equal('expiresAt' in body, false);
  });

  it('lists backups, all or by resource and type, newest first', async () => {
    const all = (await call('GET', '/backups')).body;
    assert.ok(Array.isArray(all));
    assert.equal(all.length, 4);
    const ids = (await call('GET', '/backups?resourceId=database-1')).body.map((backup: { id: string }) => backup.id);
    assert.equal(ids.length, 3);
    assert.deepEqual(ids.slice(1), [incrementalId, fullId]);
    assert.equal((await call('GET', '/backups?type=full')).body.length, 2);
    assert.deepEqual((await call('GET', '/backups?resourceId=nobody')).body, []);
    assert.equal((await call('GET', '/backups?tag=app=ecommerce')).body.length, 1);
    const future = new Date(Date.now() + 60_000).toISOString();
    assert.equal((await call('GET', `/backups?from=${future}`)).body.length, 0);
    assert.equal((await call('GET', `/backups?until=${future}`)).body.length, 4);
  });

  it('gives long lists in pages', async () => {
    const seen: string[] = [];
    let next: string | undefined = '/backups?limit=3';
    while (next !== undefined) {
      const page: Answer = await call('GET', next);
      seen.push(...page.body.map((backup: { id: string }) => backup.id));
      next = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
      assert.equal(next === undefined, page.headers.get('x-next-cursor') === null);
    }
    assert.equal(new Set(seen).size, 4);
  });

  it('gives one backup, and 304 while it is unchanged', async () => {
    const { body, headers } = await call('GET', `/backups/${fullId}`);
    assert.equal(body.id, fullId);
    const etag = String(headers.get('etag'));
    assert.equal((await call('GET', `/backups/${fullId}`, undefined, { 'if-none-match': etag })).status, 304);
    assert.equal((await call('PATCH', `/backups/${fullId}`, { tags: { env: 'test' } })).status, 200);
    assert.equal((await call('GET', `/backups/${fullId}`, undefined, { 'if-none-match': etag })).status, 200);
  });

  it('validates a backup, and warns before it expires', async () => {
    await call('PATCH', `/backups/${fullId}`, { retentionDays: 5 });
    assert.deepEqual((await call('POST', `/backups/${fullId}/validate`)).body, {
      valid: true,
      errors: [],
      warnings: ['Backup expires in 5 days'],
      checksumValid: true,
      structureValid: true,
      dataIntegrity: true,
    });
  });

  it('restores a backup, full or incremental, and tells of the operation in the documented shape', async () => {
    const request = { targetResourceId: 'database-1-restored', createdBy: 'admin', validate: true };
    const { status, headers, body } = await call('POST', '/restore', { backupId: fullId, ...request });
    assert.equal(status, 200);
    assert.deepEqual(body.data, FULL.data);
    const { operation } = body;
    assert.deepEqual(Object.keys(operation).slice(0, 11), [
      'id',
      'backupId',
      'targetResourceId',
      'type',
      'status',
      'validated',
      'validationErrors',
      'progress',
      'createdAt',
      'completedAt',
      'createdBy',
    ]);
    assert.deepEqual(
      { ...operation, id: '', createdAt: '', completedAt: '' },
      {
        ...operation,
        id: '',
        createdAt: '',
        completedAt: '',
        backupId: fullId,
        targetResourceId: 'database-1-restored',
        type: 'full',
        status: 'completed',
        validated: true,
        validationErrors: [],
        progress: 100,
        createdBy: 'admin',
      },
    );
    assert.equal(headers.get('location'), `/restore/operations/${operation.id}`);
    const incremental = await call('POST', '/restore', { backupId: incrementalId });
    assert.deepEqual(incremental.body.data, INCREMENTAL.data);
    assert.equal(incremental.body.operation.createdBy, 'local');
  });

  it('restores a point in time', async () => {
    const first = (await call('GET', `/backups/${fullId}`)).body.createdAt;
    const request = { resourceId: 'database-1', targetResourceId: 'database-1-pit', createdBy: 'admin' };
    const early = await call('POST', '/restore/point-in-time', { ...request, timestamp: first });
    assert.equal(early.body.operation.backupId, fullId);
    assert.deepEqual(early.body.data, FULL.data);
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    const late = await call('POST', '/restore/point-in-time', { ...request, timestamp: now });
    assert.deepEqual(late.body.data, INCREMENTAL.data);
    const before = await call('POST', '/restore/point-in-time', { ...request, timestamp: '2020-01-01T00:00:00Z' });
    assert.equal(before.status, 404);
    assert.equal(before.body.code, 'no-backup-at-time');
  });

  it('lists restore operations and gives one', async () => {
    const { body } = await call('GET', '/restore/operations');
    assert.ok(body.length >= 4);
    assert.deepEqual((await call('GET', `/restore/operations/${body[0].id}`)).body, body[0]);
    assert.equal((await call('GET', '/restore/operations/restore-0')).status, 404);
    assert.equal((await call('GET', `/operations/${body[0].id}`)).body.kind, 'restore');
  });

  it('deletes no base that others need, unless they go as well', async () => {
    const refused = await call('DELETE', `/backups/${fullId}`);
    assert.equal(refused.status, 409);
    assert.equal(refused.body.code, 'backup-has-dependants');
    assert.match(JSON.stringify(refused.body), new RegExp(incrementalId));
    await call('PATCH', `/backups/${fullId}`, { held: true });
    assert.equal((await call('DELETE', `/backups/${fullId}?cascade=true`)).status, 409);
    await call('PATCH', `/backups/${fullId}`, { held: false });
    const { status, body } = await call('DELETE', `/backups/${fullId}?cascade=true`);
    assert.equal(status, 200);
    assert.equal(body.deleted.length, 3);
    assert.equal((await call('GET', `/backups/${fullId}`)).status, 404);
  });

  it('keeps numbers, keys and texts that careless readers lose', async () => {
    const document = '{"__proto__":{"a":1},"big":12345678901234567890,"constructor":null,"text":"\\u0000ü😀"}';
    const { body } = await call('POST', '/backups', `{"resourceId":"odd","data":${document}}`);
    const restored = await fetch(`${service.url}/restore`, {
      method: 'POST',
      body: JSON.stringify({ backupId: body.id }),
    });
    assert.match(await restored.text(), /"data":\{"__proto__":\{"a":1\},"big":12345678901234567890,/);
  });

  it('refuses documents that say one thing twice, and documents that are too deep, and keeps nothing of them', async () => {
    const twice = await call('POST', '/backups', '{"resourceId":"twice","data":{"a":1,"a":2}}');
    assert.equal(twice.status, 400);
    assert.equal(twice.body.code, 'document-duplicate-key');
    const deep = `{"resourceId":"twice","data":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    assert.equal((await call('POST', '/backups', deep)).body.code, 'document-too-deep');
    assert.deepEqual((await call('GET', '/backups?resourceId=twice')).body, []);
  });

  it('runs the complete workflow of the specification, as it stands', { skip: SKIP_WORKFLOW }, async () => {
    const script = WORKFLOW.replaceAll('http://localhost:3004', service.url.replace('127.0.0.1', 'localhost'));
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await Promise.all([text(shell.stdout), once(shell, 'close')]);
    assert.equal(shell.exitCode, 0, output);
    const restored = output.match(/^(\{"users":.*\})$/gm);
    assert.deepEqual(
      restored?.map((line) => JSON.parse(line).users.length),
      [1, 2, 2],
    );
    assert.match(output, /Created incremental backup: backup-/);
    assert.match(output, /"targetResourceId":"test-db-pit"/);
    // Deleting the base first is refused, because the incremental backup needs it; then both went in turn.
    assert.match(output, /backup-has-dependants/);
  });
});

/** The specification's script, but for the server's start, silence of curl and one line a document from jq. */
const WORKFLOW = String.raw`
curl() { command curl -sS "$@"; }
jq() { command jq -c "$@"; }

BACKUP_ID=$(curl -X POST http://localhost:3004/backups \
  -H "Content-Type: application/json" \
  -d '{
    "resourceId": "test-db",
    "resourceType": "database",
    "type": "full",
    "data": {"users": [{"id": 1, "name": "Alice"}]},
    "metadata": {"version": "1.0", "source": "test", "tags": {}, "retentionDays": 7}
  }' | jq -r '.id')

echo "Created backup: $BACKUP_ID"

INCR_BACKUP_ID=$(curl -X POST http://localhost:3004/backups \
  -H "Content-Type: application/json" \
  -d '{
    "resourceId": "test-db",
    "resourceType": "database",
    "type": "incremental",
    "data": {"users": [{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}]},
    "metadata": {"version": "1.0", "source": "test", "tags": {}, "retentionDays": 7}
  }' | jq -r '.id')

echo "Created incremental backup: $INCR_BACKUP_ID"

curl http://localhost:3004/backups?resourceId=test-db
echo

curl -X POST http://localhost:3004/restore \
  -H "Content-Type: application/json" \
  -d "{
    \"backupId\": \"$BACKUP_ID\",
    \"targetResourceId\": \"test-db-restored\",
    \"createdBy\": \"tester\"
  }" | jq '.data'

curl -X POST http://localhost:3004/restore \
  -H "Content-Type: application/json" \
  -d "{
    \"backupId\": \"$INCR_BACKUP_ID\",
    \"targetResourceId\": \"test-db-restored-2\",
    \"createdBy\": \"tester\"
  }" | jq '.data'

curl -X POST http://localhost:3004/restore/point-in-time \
  -H "Content-Type: application/json" \
  -d '{
    "resourceId": "test-db",
    "timestamp": "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
    "targetResourceId": "test-db-pit",
    "createdBy": "tester"
  }' | jq '.data'

curl http://localhost:3004/restore/operations
echo

curl -X DELETE http://localhost:3004/backups/$BACKUP_ID
echo
curl -X DELETE http://localhost:3004/backups/$INCR_BACKUP_ID
`;
