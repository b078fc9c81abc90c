import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { PROSE, startDownloads } from './download-rig.ts';
import { eventually } from './eventually.ts';
import { rawRequest } from './raw-request.ts';

describe('a connection', () => {
  it('is reset where the content is other than was announced', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.upload('shop', PROSE);
    const backup = await rig.application.backups.get(id);
    const request = 'GET /download/shop HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const size of [PROSE.length - 1, PROSE.length + 1]) {
      await rig.catalogue.backups.put({ ...backup, size });
      const { answer, wasReset } = await rawRequest(rig.url, request);
      assert.ok(wasReset, `${size}`);
      assert.ok(answer.length < size + 2000);
    }
    assert.deepEqual(
      (await rig.audits()).map(({ details }) => details.outcome),
      ['failed', 'failed'],
    );
  });

  it('that the client ends leaves nothing running', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('blob', randomBytes(24 << 20));
    await rig.backUpSql('shop', 60_000);
    for (const route of ['/download/blob', '/download/shop']) {
      const gone = new AbortController();
      const answer = await fetch(`${rig.url}${route}`, { signal: gone.signal });
      await answer.body!.getReader().read();
      assert.equal(rig.controls.reading, 1);
      gone.abort();
      await eventually(() => rig.controls.reading + rig.controls.children.size === 0, 'something runs on');
    }
    await eventually(async () => (await rig.audits()).length === 2, 'the audit log has no two events');
    for (const { outcome, details } of await rig.audits()) {
      assert.equal(outcome, 'failure');
      assert.equal(details.outcome, 'aborted');
      assert.ok(Number(details.bytes) > 0);
    }
  });

  it('that the client ends while nothing comes is its own end, and no failure to look after', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 10_000);
    for (const least of [0, 100_000]) {
      let isBlocked = false;
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      rig.controls.onBytes = async (given) => {
        if (given < least) return;
        isBlocked = true;
        await held;
        throw new Error('ended because nobody wants it any more');
      };
      const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
      socket.resume().on('error', () => undefined);
      socket.write('GET /download/shop HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await eventually(() => isBlocked, 'nothing was read');
      socket.destroy();
      // Whatever reads for a client is ended first; that it has ended shows where the service knows that the client has gone.
      await eventually(() => [...rig.controls.children].every((child) => !isRunning(child)), 'a child runs on');
      release();
      await eventually(() => rig.controls.reading + rig.controls.children.size === 0, 'something runs on');
    }
    await eventually(async () => (await rig.audits()).length === 2, 'the audit log has no two events');
    assert.deepEqual(
      (await rig.audits()).map(({ details }) => details.outcome),
      ['aborted', 'aborted'],
    );
    const metrics = await (await fetch(`${rig.url}/metrics`)).text();
    assert.match(metrics, /^holdfast_downloads_total\{outcome="aborted"\} 2$/m);
    assert.doesNotMatch(metrics, /outcome="failed"/);
  });

  it('of a client that takes nothing is given up', async (t) => {
    const rig = await startDownloads(t, { downloads: { idleSeconds: 1 } });
    await rig.upload('blob', randomBytes(24 << 20));
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /download/blob HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'readable');
    await eventually(() => rig.controls.reading === 0, 'something is read on');
    await eventually(async () => (await rig.audits()).length === 1, 'the audit log has no event');
    assert.equal((await rig.audits())[0]!.details.outcome, 'aborted');
    socket.destroy();
  });

  it('is kept until its download is whole when the service ends', async (t) => {
    const rig = await startDownloads(t);
    const bytes = randomBytes(24 << 20);
    await rig.upload('blob', bytes);
    const answer = await fetch(`${rig.url}/download/blob`);
    const ending = rig.drain();
    const received = Buffer.from(await answer.arrayBuffer());
    assert.ok(received.equals(bytes));
    await ending;
    await assert.rejects(fetch(`${rig.url}/download/blob`));
  });

  it('is reset where the service cannot wait for its download', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 60_000);
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    const reset = once(socket, 'error');
    socket.write('GET /download/shop HTTP/1.0\r\nHost: localhost\r\n\r\n');
    await once(socket, 'readable');
    await rig.drain(50);
    socket.resume();
    assert.equal(((await reset) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET');
  });
});

describe('GET /backups/{id}/content', () => {
  it('resets the connection where the content breaks off', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.upload('blob', randomBytes(24 << 20));
    const pack = await rig.largestPack();
    const file = await open(pack, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(4096, 1), 0, 4096, Math.floor(size * 0.85));
    await file.close();
    const { wasReset } = await rawRequest(rig.url, `GET /backups/${id}/content HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.ok(wasReset);
  });
});

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}
