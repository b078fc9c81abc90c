import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../src/core/errors.ts';
import { PROSE, startDownloads } from './download-rig.ts';
import { dechunked, rawRequest } from './raw-request.ts';

describe('Accept-Encoding of a download', () => {
  it('is honoured, with a tag of its own and without length and digest', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    const answers = new Map<string, Response>();
    for (const [accepted, coding] of [
      ['gzip', 'gzip'],
      ['zstd', 'zstd'],
      ['gzip, zstd', 'zstd'],
      ['gzip;q=1, zstd;q=0.5', 'gzip'],
      ['*', 'zstd'],
      ['br', null],
      ['gzip;q=0', null],
      ['identity, gzip;q=0.5', null],
    ] as const) {
      const answer = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': accepted } });
      assert.equal(answer.headers.get('content-encoding'), coding, accepted);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(PROSE), accepted);
      assert.equal(answer.headers.get('content-length') === null, coding !== null, accepted);
      assert.equal(answer.headers.get('repr-digest') === null, coding !== null, accepted);
      answers.set(String(coding), answer);
    }
    assert.equal(new Set([...answers.values()].map(({ headers }) => headers.get('etag'))).size, 3);
  });

  it('is not used for what does not get smaller', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('random', randomBytes(100_000));
    await rig.upload('small', 'a'.repeat(1000));
    for (const resource of ['random', 'small']) {
      const answer = await fetch(`${rig.url}/download/${resource}`, { headers: { 'accept-encoding': 'zstd' } });
      assert.equal(answer.headers.get('content-encoding'), null, resource);
      await answer.arrayBuffer();
    }
  });

  it('lets the first bytes out before the last ones are there, and never ends what failed', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 5000);
    for (const coding of ['gzip', 'zstd']) {
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      rig.controls.onBytes = async (given) => {
        if (given === 0) return;
        await held;
        throw new Error('the storage fails');
      };
      const answer = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': coding } });
      assert.equal(answer.headers.get('content-encoding'), coding);
      const reader = answer.body!.getReader();
      const first = await reader.read();
      assert.match(Buffer.from(first.value!).toString(), /^\\set ON_ERROR_STOP on\n/, coding);
      release();
      await assert.rejects(async () => {
        while (!(await reader.read()).done) assert.ok(true);
      });
    }
    assert.deepEqual(
      (await rig.audits()).map(({ details }) => [details.outcome, details.coding]),
      [
        ['failed', 'gzip'],
        ['failed', 'zstd'],
      ],
    );
  });

  it('of SQL that fails on its way holds the reason', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 20_000);
    rig.controls.onBytes = (given) => {
      if (given > 1_000_000) throw new HoldfastError('damaged', 'chunk-damaged', 'A chunk is damaged.');
    };
    const request = 'GET /download/shop HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n';
    const { answer, wasReset } = await rawRequest(rig.url, request);
    assert.ok(wasReset);
    const text = gunzipSync(dechunked(answer), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
    assert.match(text.slice(-300), /RAISE EXCEPTION USING MESSAGE = E'The download failed: A chunk is damaged\./);
  });

  it('is decoded by others', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    for (const [coding, decode] of [
      ['gzip', gunzipSync],
      ['zstd', zstdDecompressSync],
    ] as const) {
      const { pathname } = new URL(`${rig.url}/download/shop`);
      const { answer } = await rawRequest(
        rig.url,
        `GET ${pathname} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: ${coding}\r\n\r\n`,
      );
      assert.ok(decode(dechunked(answer)).equals(PROSE), coding);
    }
  });
});

describe('HTTP/1.0', () => {
  it('gets what has a length, and what is sealed; the rest is refused with what to set', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('blob', PROSE);
    await rig.backUpSql('shop', 10);
    const blob = await coded(`${rig.url}/download/blob`, 'gzip');
    assert.match(blob.head, new RegExp(`content-length: ${PROSE.length}`, 'i'));
    assert.ok(blob.body.equals(PROSE));
    const sealed = await coded(`${rig.url}/download/shop`, 'gzip');
    assert.match(sealed.body.toString(), /\n-- shop .*endif\n$/s);
    const refused = await coded(`${rig.url}/download/shop?seal=none`, 'gzip');
    assert.match(refused.head, /^HTTP\/1\.1 505 /);
    assert.match(refused.body.toString(), /proxy_http_version 1\.1/);
    const head = 'HEAD /download/shop?seal=none HTTP/1.0\r\nHost: localhost\r\n\r\n';
    assert.match((await rawRequest(rig.url, head)).answer.toString(), /^HTTP\/1\.1 505 /);
  });
});

/** The body of an answer as it was sent: `fetch` decodes. */
async function coded(url: string, coding: string): Promise<{ head: string; body: Buffer }> {
  const { pathname, search } = new URL(url);
  const { answer } = await rawRequest(
    url,
    `GET ${pathname}${search} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: ${coding}\r\n\r\n`,
  );
  const end = answer.indexOf('\r\n\r\n');
  return { head: answer.subarray(0, end).toString(), body: answer.subarray(end + 4) };
}
