import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { serve } from '../src/adapters/http/serve.ts';
import type { Application } from '../src/core/application.ts';
import type { Operation } from '../src/core/operation.ts';
import { httpConfiguration, type MemoryApplication, memoryApplication } from './api-memory-application.ts';
import { rawRequest } from './raw-request.ts';

const LOGGER = pino({ level: 'silent' });

async function served(t: TestContext, memory: MemoryApplication) {
  const running = await serve(memory.application, httpConfiguration(), LOGGER);
  t.after(() => running.close(0));
  return running;
}

describe('uploads', () => {
  it('arrive whole, at the pace at which they are kept, and are answered with their SHA-256', async (t) => {
    const memory = memoryApplication();
    const { createPosted } = memory.application.backups;
    const block = Buffer.alloc(1024 * 1024, 'holdfast');
    const blocks = 100;
    let sent = 0;
    let received = 0;
    let mostUnderWay = 0;
    memory.application.backups.createPosted = (request) => {
      async function* counted() {
        for await (const chunk of request.input) {
          received += chunk.length;
          yield chunk;
        }
      }
      return createPosted({ ...request, input: counted() });
    };
    const { url } = await served(t, memory);
    const hash = createHash('sha256');
    async function* bytes() {
      for (; sent < blocks * block.length; sent += block.length) {
        hash.update(block);
        mostUnderWay = Math.max(mostUnderWay, sent - received);
        yield block;
      }
    }
    const answer = await fetch(`${url}/resources/shop/backups`, {
      method: 'PUT',
      body: Readable.toWeb(Readable.from(bytes())) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    assert.equal(answer.status, 201);
    const backup = (await answer.json()) as { sha256: string; size: number; id: string };
    assert.equal(backup.sha256, hash.digest('hex'));
    assert.equal(backup.size, blocks * block.length);
    assert.equal(answer.headers.get('location'), `/backups/${backup.id}`);
    assert.ok(mostUnderWay < 40 * block.length, `${mostUnderWay} bytes were under way`);
  });

  it('leave nothing when the connection breaks, whether their length was announced or not', async (t) => {
    const memory = memoryApplication();
    const failures: unknown[] = [];
    const { createPosted } = memory.application.backups;
    memory.application.backups.createPosted = (request) =>
      createPosted(request).catch((error: unknown) => {
        failures.push(error);
        throw error;
      });
    const { url } = await served(t, memory);
    const request = 'PUT /resources/shop/backups HTTP/1.1\r\nHost: localhost\r\n';
    await rawRequest(url, `${request}Content-Length: 1000\r\n\r\nonly this`, { endsAtOnce: true });
    await rawRequest(url, `${request}Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n`, { endsAtOnce: true });
    while (failures.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(
      failures.map((error) => (error as { code: string }).code),
      ['upload-broken', 'upload-broken'],
    );
    assert.equal(memory.backups.size, 0);
  });

  it('leave nothing when the bytes do not have the announced hash', async (t) => {
    const memory = memoryApplication();
    const { url } = await served(t, memory);
    const put = (headers: Record<string, string>) =>
      fetch(`${url}/resources/shop/backups`, { method: 'PUT', body: 'bytes', headers });
    const wrong = await put({ 'x-content-sha256': '0'.repeat(64) });
    assert.equal(wrong.status, 400);
    assert.equal(((await wrong.json()) as { code: string }).code, 'digest-mismatch');
    assert.equal(memory.backups.size, 0);
    const digest = createHash('sha256').update('bytes').digest('base64');
    assert.equal((await put({ 'content-digest': `sha-256=:${digest}:` })).status, 201);
  });

  it('are refused at once when they announce too much, and their connection ends', async (t) => {
    const { url } = await served(t, memoryApplication());
    const head = 'POST /backups HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n{';
    const { answer: bytes, wasReset } = await rawRequest(url, head);
    assert.ok(!wasReset);
    const answer = bytes.toString();
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /\r\nconnection: close\r\n/i);
    assert.match(answer, /body-too-large/);
  });
});

describe('downloads', () => {
  async function contentOf(t: TestContext, bytes: () => AsyncIterable<Uint8Array>) {
    const memory = memoryApplication();
    const { url } = await served(t, memory);
    await fetch(`${url}/resources/shop/backups`, { method: 'PUT', body: 'hello' });
    const backup = { ...memory.backups.get('backup-1')!, contentKind: 'stream' as const };
    memory.backups.set('backup-1', backup);
    memory.application.backups.content = async () => ({
      backup,
      mediaType: 'application/octet-stream',
      bytes: bytes(),
    });
    return { memory, content: () => fetch(`${url}/backups/backup-1/content`) };
  }

  it('carry length, hash and a name', async (t) => {
    const { content } = await contentOf(t, async function* () {
      yield Buffer.from('hello');
    });
    const answer = await content();
    assert.equal(await answer.text(), 'hello');
    const sha256 = createHash('sha256').update('hello').digest();
    assert.equal(answer.headers.get('content-length'), '5');
    assert.equal(answer.headers.get('repr-digest'), `sha-256=:${sha256.toString('base64')}:`);
    assert.equal(answer.headers.get('etag'), `"${sha256.toString('hex')}"`);
    assert.match(String(answer.headers.get('content-disposition')), /^attachment; filename="shop-/);
    assert.match(String(answer.headers.get('content-security-policy')), /sandbox/);
  });

  it('break the connection when damage shows on the way, and record it', async (t) => {
    const { memory, content } = await contentOf(t, async function* () {
      yield Buffer.from('hel');
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('damaged');
    });
    const answer = await content();
    assert.equal(answer.status, 200);
    await assert.rejects(answer.text());
    assert.deepEqual(
      memory.audit.filter(({ action }) => action === 'backup.content').map(({ outcome }) => outcome),
      ['success', 'failure'],
    );
  });

  it('are a proper problem when damage shows at the first byte', async (t) => {
    const { content } = await contentOf(t, async function* () {
      yield* [];
      throw new Error('damaged');
    });
    const answer = await content();
    assert.equal(answer.status, 500);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    assert.equal(answer.headers.get('etag'), null);
  });
});

describe('server-sent events', () => {
  function operation(status: Operation['status'], percent: number): Operation {
    return {
      id: 'operation-1',
      kind: 'backup',
      status,
      input: {},
      resourceId: 'shop',
      progress: { percent },
      warnings: [],
      attempts: 1,
      createdBy: 'local',
      createdAt: '2025-01-01T12:00:00.000Z',
      ...(status === 'completed' ? { completedAt: '2025-01-01T12:00:01.000Z' } : {}),
    };
  }

  function watching(watch: Application['operations']['watch']): MemoryApplication {
    const operations = { get: async () => operation('running', 0), watch } as unknown as Application['operations'];
    return memoryApplication({ operations });
  }

  it('tell each change and the end, and then end', async (t) => {
    const memory = watching(async function* () {
      yield operation('running', 10);
      yield operation('completed', 100);
    });
    const { url } = await served(t, memory);
    for (const [path, accept] of [
      ['/operations/operation-1/events', '*/*'],
      ['/operations/operation-1', 'text/event-stream'],
    ]) {
      const answer = await fetch(`${url}${path}`, { headers: { accept: String(accept) } });
      assert.equal(answer.headers.get('content-type'), 'text/event-stream');
      const events = (await answer.text()).split('\n\n').filter((event) => event.startsWith('event: '));
      assert.deepEqual(
        events.map((event) => [event.split('\n')[0], JSON.parse(event.split('data: ')[1]!).progress.percent]),
        [
          ['event: operation', 10],
          ['event: operation', 100],
          ['event: end', 100],
        ],
      );
    }
  });

  it('stop watching when the client leaves, and end when the server closes', async () => {
    const ended: string[] = [];
    const memory = watching(async function* (_id, signal) {
      yield operation('running', 10);
      await once(signal, 'abort');
      ended.push('aborted');
    });
    const running = await serve(memory.application, httpConfiguration(), LOGGER);
    const leaving = new AbortController();
    const events = await fetch(`${running.url}/operations/operation-1/events`, { signal: leaving.signal });
    await events.body!.getReader().read();
    leaving.abort();
    while (ended.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const staying = await fetch(`${running.url}/operations/operation-1/events`);
    const rest = staying.text();
    await running.close();
    assert.match(await rest, /"percent":10/);
    assert.deepEqual(ended, ['aborted', 'aborted']);
  });
});

describe('closing', () => {
  it('lets requests under way end and takes no new ones', async () => {
    const memory = memoryApplication();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { createPosted } = memory.application.backups;
    memory.application.backups.createPosted = (request) => {
      begin();
      return createPosted(request);
    };
    const running = await serve(memory.application, httpConfiguration(), LOGGER);
    const body = new PassThrough();
    body.write('begun');
    const upload = fetch(`${running.url}/resources/shop/backups`, {
      method: 'PUT',
      body: Readable.toWeb(body) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    await begun;
    const closed = running.close();
    body.end();
    assert.equal((await upload).status, 201);
    await closed;
    await assert.rejects(fetch(`${running.url}/health`));
  });

  it('names a port that is taken', async (t) => {
    const { url } = await served(t, memoryApplication());
    const configuration = httpConfiguration({ port: Number(new URL(url).port) });
    await assert.rejects(serve(memoryApplication().application, configuration, LOGGER), { code: 'address-in-use' });
  });
});

describe('JSON', () => {
  it('ends with a line break, which is counted', async (t) => {
    const { url } = await served(t, memoryApplication());
    const posted = () =>
      fetch(`${url}/resources`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'once' },
        body: JSON.stringify({ id: 'shop', type: 'database', service: 'stream' }),
      });
    const answers = [
      ...[await posted(), await posted()],
      ...(await Promise.all(
        ['/health', '/openapi.json', '/resources/shop', '/backups/nope', '/nope'].map((route) => fetch(url + route)),
      )),
    ];
    for (const answer of answers) {
      const bytes = Buffer.from(await answer.arrayBuffer());
      assert.match(bytes.toString(), /[^\n]\n$/, answer.url);
      assert.equal(answer.headers.get('content-length'), `${bytes.length}`, answer.url);
    }
    const head = await fetch(`${url}/resources/shop`, { method: 'HEAD' });
    const whole = await fetch(`${url}/resources/shop`);
    assert.equal(head.headers.get('content-length'), whole.headers.get('content-length'));
  });
});
