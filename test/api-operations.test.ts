import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { type RunningService, startService } from './api-service.ts';
import { type Answer, documentedCall } from './documented-call.ts';

let service: RunningService;
let stop = async (): Promise<unknown> => undefined;
before(async () => {
  service = await startService({
    after: (cleanup) => {
      stop = async () => (cleanup as () => Promise<void>)();
    },
  });
});
after(() => stop());

const call = (method: string, route: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  documentedCall(service.url, method, route, { body, headers });

async function upload(route: string, bytes: AsyncIterable<Uint8Array>, headers: Record<string, string> = {}) {
  return fetch(`${service.url}${route}`, {
    method: 'PUT',
    body: Readable.toWeb(Readable.from(bytes)) as ReadableStream,
    duplex: 'half',
    headers,
  } as RequestInit);
}

/** Bytes that neither compress nor repeat, the same in every run. */
async function* noise(blocks: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < blocks; at++) {
    const seed = createHash('sha256').update(String(at)).digest();
    const block = Buffer.alloc(1024 * 1024);
    for (let offset = 0; offset < block.length; offset += 32) {
      seed.copy(block, offset);
      seed.writeUInt32LE((seed.readUInt32LE(0) * 1_664_525 + 1_013_904_223) >>> 0, 0);
      seed.writeUInt32LE((seed.readUInt32LE(28) ^ offset) >>> 0, 28);
    }
    yield block;
  }
}

async function sha256Of(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest('hex');
}

describe('raw streams', () => {
  it('come back bit for bit, 100 MiB of them', async () => {
    const route = '/resources/dump/backups?retentionDays=3&tag=env=test&tag=app=shop';
    const answer = await upload(route, noise(100));
    assert.equal(answer.status, 201);
    const backup = (await answer.json()) as Answer['body'];
    const expected = await sha256Of(noise(100));
    assert.equal(backup.sha256, expected);
    assert.equal(backup.checksum, `sha256:${expected}`);
    assert.equal(backup.size, 100 * 1024 * 1024);
    assert.deepEqual(backup.metadata, { tags: { env: 'test', app: 'shop' }, retentionDays: 3 });
    const content = await fetch(`${service.url}/backups/${backup.id}/content`);
    assert.equal(content.headers.get('content-length'), String(backup.size));
    assert.equal(await sha256Of(content.body as unknown as AsyncIterable<Uint8Array>), expected);
    const etag = String(content.headers.get('etag'));
    const again = await call('GET', `/backups/${backup.id}/content`, undefined, { 'if-none-match': etag });
    assert.equal(again.status, 304);
    const head = await fetch(`${service.url}/backups/${backup.id}/content`, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(backup.size));
  });

  it('leave no backup when their sender fails', async () => {
    async function* failing() {
      yield* noise(2);
      throw new Error('pg_dump died');
    }
    await assert.rejects(upload('/resources/broken/backups', failing()));
    const digest = { 'x-content-sha256': '0'.repeat(64) };
    assert.equal((await upload('/resources/broken/backups', noise(1), digest)).status, 400);
    assert.deepEqual((await call('GET', '/backups?resourceId=broken')).body, []);
  });

  it('come back as the document too, where one was kept', async () => {
    const { body } = await call('POST', '/resources/state/backups', { data: { b: [1], a: 'ü' } });
    assert.equal(body.service, 'document');
    const content = await fetch(`${service.url}/backups/${body.id}/content`);
    assert.equal(content.headers.get('content-type'), 'application/json');
    assert.equal(await content.text(), '{"a":"ü","b":[1]}');
    assert.equal((await call('GET', `/backups/${body.id}/entries`)).body.code, 'content-is-no-tree');
  });

  it('are refused where something else is kept under that name', async () => {
    const mixed = await upload('/resources/state/backups', noise(1));
    assert.equal(mixed.status, 409);
  });

  it('break off when the repository turns out to be damaged', async () => {
    const backup = (await (await upload('/resources/victim/backups', noise(3))).json()) as Answer['body'];
    const packs = (await readdir(service.repositoryFolder, { recursive: true })).filter((name) =>
      /^packs.*[0-9a-f]{64}$/.test(name),
    );
    const damaged = await Promise.all(
      packs.map(async (name) => {
        const file = path.join(service.repositoryFolder, name);
        const bytes = await readFile(file);
        await writeFile(file, Buffer.from(bytes).fill(0, 100, bytes.length - 1000));
        return { file, bytes };
      }),
    );
    assert.ok(damaged.length > 0);
    const outcome = await fetch(`${service.url}/backups/${backup.id}/content`).then(async (answer) => {
      if (answer.status === 200)
        return answer.arrayBuffer().then(
          () => 'whole',
          () => 'broken off',
        );
      return `problem ${answer.status}`;
    });
    assert.match(outcome, /broken off|problem 500/);
    const rest = await readToEnd(`${service.url}/backups/${backup.id}/content?allowDamaged=true`);
    assert.equal(rest.bytes.length, backup.size, 'what is lost is given as zeros');
    assert.ok(Number(rest.trailers['x-damages']) > 0);
    assert.equal(rest.headers['repr-digest'], undefined);
    const validation = await call('POST', `/backups/${backup.id}/validate`);
    assert.equal(validation.body.valid, false);
    assert.ok(validation.body.errors.length > 0);
    for (const { file, bytes } of damaged) await writeFile(file, bytes);
  });
});

/** With the trailers, which `fetch` does not give. */
async function readToEnd(
  url: string,
): Promise<{ bytes: Buffer; headers: IncomingHttpHeaders; trailers: NodeJS.Dict<string> }> {
  const [answer] = (await once(get(url), 'response')) as [IncomingMessage];
  const bytes = await buffer(answer);
  return { bytes, headers: answer.headers, trailers: answer.trailers };
}

describe('resources that are fetched', () => {
  it('are set up, shown and replaced', async () => {
    const made = await call('PUT', '/resources/counter', { service: 'counting', configuration: { numbers: 3 } });
    assert.equal(made.status, 201);
    const again = await call('PUT', '/resources/counter', { service: 'counting', configuration: { numbers: 4 } });
    assert.equal(again.body.configuration.numbers, 4);
    assert.equal((await call('GET', '/resources/counter')).body.service, 'counting');
    assert.ok((await call('GET', '/resources')).body.some((resource: { id: string }) => resource.id === 'counter'));
    assert.equal((await call('GET', '/resources/nobody')).status, 404);
    const unknown = await call('PUT', '/resources/x', { service: 'counting', bogus: 1 });
    assert.equal(unknown.status, 400);
    assert.match(unknown.body.detail, /bogus: unknown field/);
  });

  it('are backed up by an operation, for which the caller may wait', async () => {
    const started = await call('POST', '/backups', { resourceId: 'counter', type: 'full' });
    assert.equal(started.status, 202);
    assert.equal(started.headers.get('location'), `/operations/${started.body.id}`);
    const ended = await call('GET', `/operations/${started.body.id}`, undefined, { prefer: 'wait=30' });
    assert.equal(ended.body.status, 'completed');
    for (const route of ['/backups', '/resources/counter/backups']) {
      const body = route === '/backups' ? { resourceId: 'counter' } : undefined;
      const waited = await call('POST', route, body, { prefer: 'wait=30' });
      assert.equal(waited.status, 201);
      assert.equal(waited.headers.get('preference-applied'), 'wait=30');
      assert.equal(waited.headers.get('location'), `/backups/${waited.body.id}`);
      assert.equal(waited.body.resourceId, 'counter');
    }
  });

  it('say why a backup failed to a caller who waited', async () => {
    await call('PUT', '/resources/empty', { service: 'counting', configuration: { numbers: 0 } });
    const failed = await call('POST', '/backups', { resourceId: 'empty' }, { prefer: 'wait=30' });
    assert.equal(failed.status, 400);
    assert.equal(failed.body.code, 'nothing-to-count');
    assert.match(failed.body.operationId, /^operation-/);
  });

  it('can be watched and cancelled', async () => {
    await call('PUT', '/resources/slow', { service: 'counting', configuration: { numbers: 1, waits: true } });
    const { body: operation } = await call('POST', '/backups', { resourceId: 'slow' });
    const events = await fetch(`${service.url}/operations/${operation.id}/events`);
    const rest = events.text();
    assert.equal((await call('POST', `/operations/${operation.id}/cancel`)).status, 202);
    assert.match(await rest, /event: end\ndata: \{[^\n]*"status":"cancelled"/);
    assert.equal((await call('POST', `/operations/${operation.id}/cancel`)).body.code, 'operation-ended');
    assert.deepEqual((await call('GET', '/backups?resourceId=slow')).body, []);
    const listed = (await call('GET', '/operations?resourceId=slow&status=cancelled')).body;
    assert.deepEqual(
      listed.map((one: { id: string }) => one.id),
      [operation.id],
    );
  });

  it('are restored by an operation', async () => {
    const [backup] = (await call('GET', '/backups?resourceId=counter')).body;
    const restored = await call('POST', '/restore', { backupId: backup.id }, { prefer: 'wait=30' });
    assert.equal(restored.status, 200);
    assert.equal(restored.body.operation.status, 'completed');
    assert.equal('data' in restored.body, false);
    const operation = await call('GET', String(restored.headers.get('location')));
    assert.equal(operation.body.result.numbers, backup.size);
  });

  it('keep their backups unless these may go too', async () => {
    assert.equal((await call('DELETE', '/resources/counter')).body.code, 'resource-has-backups');
    assert.equal((await call('DELETE', '/resources/counter?cascade=true')).status, 200);
    assert.deepEqual((await call('GET', '/backups?resourceId=counter')).body, []);
  });
});

describe('retention and schedules', () => {
  it('keep what a policy wants, and say before what they would forget', async () => {
    for (let version = 0; version < 4; version++) {
      assert.equal((await call('POST', '/backups', { resourceId: 'kept', data: { version } })).status, 201);
    }
    const rules = { keepLast: 2 };
    const preview = (await call('POST', '/policies/preview', { resourceId: 'kept', rules })).body;
    assert.equal(preview.keep.length, 2);
    assert.equal(preview.forget.length, 2);
    assert.equal(preview.forget[0].data, '[REDACTED]');
    const policy = await call('POST', '/policies', { name: 'two', rules });
    assert.equal(policy.status, 201);
    await call('PUT', '/resources/kept', { service: 'document', policyId: policy.body.id });
    const dry = (await call('POST', '/resources/kept/retention/apply', { dryRun: true })).body;
    assert.equal(dry.forget.length, 2);
    assert.equal((await call('GET', '/backups?resourceId=kept')).body.length, 4);
    assert.equal((await call('POST', '/resources/kept/retention/apply')).status, 200);
    assert.equal((await call('GET', '/backups?resourceId=kept')).body.length, 2);
    const nothing = await call('POST', '/policies', { name: 'nothing', rules: {} });
    assert.equal(nothing.status, 400);
  });

  it('run by cron in a time zone', async () => {
    await call('PUT', '/resources/nightly', { service: 'counting', configuration: { numbers: 1 } });
    const schedule = { resourceId: 'nightly', cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    const made = await call('POST', '/schedules', schedule);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.ok(Date.parse(made.body.nextRunAt) > Date.now());
    const suspended = await call('PUT', `/schedules/${made.body.id}`, { ...schedule, enabled: false });
    assert.equal(suspended.body.enabled, false);
    assert.equal((await call('POST', '/schedules', { ...schedule, cron: 'never' })).status, 400);
    assert.equal((await call('POST', '/schedules', { ...schedule, timeZone: 'Mars/Base' })).status, 400);
    assert.equal((await call('DELETE', `/schedules/${made.body.id}`)).status, 200);
    assert.deepEqual((await call('GET', '/schedules?resourceId=nightly')).body, []);
  });
});

describe('repositories, metrics and the audit log', () => {
  it('tell what is kept and verify it', async () => {
    const [repository] = (await call('GET', '/repositories')).body;
    assert.equal(repository.id, 'default');
    assert.ok(repository.packBytes > 0);
    const [key] = (await call('GET', '/repositories/default/keys')).body;
    assert.equal(key.current, true);
    const verified = await call('POST', '/repositories/default/verify', { level: 4 }, { prefer: 'wait=60' });
    assert.equal(verified.status, 200, JSON.stringify(verified.body));
    assert.equal(verified.body.result.findingCount, 0);
    assert.equal((await call('GET', '/repositories/other')).status, 404);
  });

  it('count', async () => {
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    assert.match(metrics, /holdfast_backups_total\{type="full",status="completed"\} [1-9]/);
    assert.match(metrics, /holdfast_backups_total\{type="full",status="failed"\} [1-9]/);
    assert.match(metrics, /holdfast_backup_size_bytes_count\{type="full"\} [1-9]/);
    assert.match(
      metrics,
      /holdfast_http_request_duration_seconds_count\{method="POST",route="\/backups",status="201"\}/,
    );
    assert.match(metrics, /process_cpu_seconds_total/);
    const [newest] = (await call('GET', '/backups?limit=1')).body;
    const newestSeconds = Date.parse(newest.createdAt) / 1000;
    const gauge = `holdfast_resource_newest_backup_timestamp_seconds{resource="${newest.resourceId}"} ${newestSeconds}`;
    assert.ok(metrics.split('\n').includes(gauge), gauge);
  });

  it('record what was done, in a chain that holds', async () => {
    const events = (await call('GET', '/audit?action=backup.create&limit=5')).body;
    assert.equal(events.length, 5);
    assert.equal(events[0].actor, 'local');
    const verified = (await call('POST', '/audit/verify')).body;
    assert.ok(verified.events > 20);
    assert.equal('brokenAt' in verified, false);
  });
});

describe('tokens', () => {
  it('close the door behind the first of them, and are shown once', async () => {
    const made = await call('POST', '/tokens', { name: 'first', role: 'admin' });
    assert.equal(made.status, 201);
    assert.match(made.body.token, /^hf_/);
    const headers = { authorization: `Bearer ${made.body.token}` };
    assert.equal((await call('GET', '/backups')).status, 401);
    const listed = await call('GET', '/tokens', undefined, headers);
    assert.deepEqual(
      listed.body.map((token: { name: string }) => token.name),
      ['first'],
    );
    assert.doesNotMatch(JSON.stringify(listed.body), /hf_|hash/);
    const confined = { name: 'reader', role: 'viewer', resources: ['kept'] };
    const reader = { authorization: `Bearer ${(await call('POST', '/tokens', confined, headers)).body.token}` };
    const seen = (await call('GET', '/backups', undefined, reader)).body;
    assert.deepEqual([...new Set(seen.map((backup: { resourceId: string }) => backup.resourceId))], ['kept']);
    const [hidden] = (await call('GET', '/backups?resourceId=state', undefined, headers)).body;
    assert.equal((await call('GET', `/backups/${hidden.id}`, undefined, reader)).status, 404);
    assert.equal((await call('GET', '/operations', undefined, reader)).body.length, 0);
    assert.equal((await call('DELETE', `/tokens/${made.body.record.id}`, undefined, headers)).status, 200);
    assert.equal((await call('GET', '/backups', undefined, headers)).status, 401);
  });
});
