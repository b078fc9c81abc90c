import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../src/core/errors.ts';
import { type DownloadRig, startDownloads } from './download-rig.ts';

const PROBLEM = 'application/problem+json; charset=utf-8';
/** Compresses well. */
const PROSE = Buffer.from('The quick brown fox jumps over the lazy dog.\n'.repeat(20_000));

/** Sends a request and gives all that comes back until the connection ends, and whether it was reset. */
async function raw(url: string, head: string): Promise<{ answer: Buffer; wasReset: boolean }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let wasReset = false;
  const pieces: Buffer[] = [];
  socket.on('error', (error: NodeJS.ErrnoException) => {
    wasReset = error.code === 'ECONNRESET';
  });
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(head);
  await new Promise((resolve) => socket.once('close', resolve));
  return { answer: Buffer.concat(pieces), wasReset };
}

/** The body of an answer as it was sent: `fetch` decodes. */
async function coded(url: string, coding: string): Promise<{ head: string; body: Buffer }> {
  const { pathname, search } = new URL(url);
  const { answer } = await raw(
    url,
    `GET ${pathname}${search} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: ${coding}\r\n\r\n`,
  );
  const end = answer.indexOf('\r\n\r\n');
  return { head: answer.subarray(0, end).toString(), body: answer.subarray(end + 4) };
}

/** The body of an answer of unknown length, as far as it came. */
function withoutChunks(answer: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = answer.indexOf('\r\n\r\n') + 4; at < answer.length; ) {
    const begin = answer.indexOf('\r\n', at) + 2;
    const length = Number.parseInt(answer.toString('latin1', at, begin), 16);
    pieces.push(answer.subarray(begin, begin + length));
    at = begin + length + 2;
  }
  return Buffer.concat(pieces);
}

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let patience = 0; patience < 1000; patience++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('it did not come to that');
}

describe('HEAD of a download', () => {
  it('tells what GET would, makes nothing and is no download', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    const get = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': 'identity' } });
    await get.arrayBuffer();
    rig.controls.onBytes = () => assert.fail('HEAD reads');
    const head = await fetch(`${rig.url}/download/shop`, { method: 'HEAD' });
    assert.equal(head.status, 200);
    for (const name of [
      ...['content-type', 'content-length', 'content-disposition', 'etag', 'last-modified', 'repr-digest'],
      ...['accept-ranges', 'cache-control', 'vary', 'x-snapshot-id', 'x-accel-buffering', 'x-content-type-options'],
    ])
      assert.equal(head.headers.get(name), get.headers.get(name), name);
    assert.equal((await fetch(`${rig.url}/download/absent`, { method: 'HEAD' })).status, 404);
    const etag = String(head.headers.get('etag'));
    const unchanged = { method: 'HEAD', headers: { 'if-none-match': etag } };
    assert.equal((await fetch(`${rig.url}/download/shop`, unchanged)).status, 304);
    assert.equal((await rig.audits()).length, 1);
  });
});

describe('a download that the client has already', () => {
  it('is not sent again', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', PROSE);
    const first = await fetch(`${rig.url}/download/shop`, { headers: { 'accept-encoding': 'identity' } });
    await first.arrayBuffer();
    const etag = String(first.headers.get('etag'));
    const modified = String(first.headers.get('last-modified'));
    const statusFor = async (headers: Record<string, string>) =>
      (await fetch(`${rig.url}/download/shop`, { headers })).status;
    assert.equal(await statusFor({ 'if-none-match': etag }), 304);
    assert.equal(await statusFor({ 'if-none-match': `"other", W/${etag}` }), 304);
    assert.equal(await statusFor({ 'if-none-match': etag.replace(/"$/, '-gzip"') }), 304);
    assert.equal(await statusFor({ 'if-none-match': '"other"' }), 200);
    assert.equal(await statusFor({ 'if-modified-since': modified }), 304);
    assert.equal(await statusFor({ 'if-modified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' }), 200);
    assert.equal(await statusFor({ 'if-modified-since': modified, 'if-none-match': '"other"' }), 200);
  });

  it('has a weak tag where the next one may have other bytes, and another for another choice', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 10);
    const tag = async (query: string) => {
      const answer = await fetch(`${rig.url}/download/shop${query}`, { method: 'HEAD' });
      return String(answer.headers.get('etag'));
    };
    const tags = [await tag(''), await tag('?mode=replace'), await tag('?seal=none'), await tag('?tables=a')];
    assert.equal(new Set(tags).size, 4);
    for (const each of tags) assert.match(each, /^"/);
    rig.controls.isReproducible = false;
    assert.equal(await tag(''), `W/${tags[0]}`);
  });
});

describe('a part of a download', () => {
  it('is given where the content can begin in the middle', async (t) => {
    const rig = await startDownloads(t);
    const bytes = randomBytes(3 << 20);
    await rig.upload('shop', bytes);
    const part = async (headers: Record<string, string>) => {
      const answer = await fetch(`${rig.url}/download/shop`, { headers });
      return { answer, body: Buffer.from(await answer.arrayBuffer()) };
    };
    const middle = await part({ range: 'bytes=1000000-1999999', 'accept-encoding': 'gzip' });
    assert.equal(middle.answer.status, 206);
    assert.equal(middle.answer.headers.get('content-range'), `bytes 1000000-1999999/${bytes.length}`);
    assert.equal(middle.answer.headers.get('content-length'), '1000000');
    assert.equal(middle.answer.headers.get('content-encoding'), null);
    assert.ok(middle.body.equals(bytes.subarray(1_000_000, 2_000_000)));
    assert.ok((await part({ range: 'bytes=3000000-' })).body.equals(bytes.subarray(3_000_000)));
    assert.ok((await part({ range: 'bytes=-10' })).body.equals(bytes.subarray(-10)));
    for (const whole of ['bytes=1-2,5-6', 'lines=1-2', 'bytes=5-1', 'nonsense'])
      assert.equal((await part({ range: whole })).answer.status, 200, whole);
    const behind = await part({ range: `bytes=${bytes.length}-`, accept: 'application/json' });
    assert.equal(behind.answer.status, 416);
    assert.equal(behind.answer.headers.get('content-range'), `bytes */${bytes.length}`);
    const etag = String(middle.answer.headers.get('etag'));
    const modified = String(middle.answer.headers.get('last-modified'));
    for (const [ifRange, status] of [
      ...([[etag, 206] as const, ['"other"', 200] as const, [`W/${etag}`, 200] as const] as const),
      ...([[modified, 206] as const, ['Thu, 01 Jan 2015 00:00:00 GMT', 200] as const] as const),
    ])
      assert.equal((await part({ range: 'bytes=0-9', 'if-range': ifRange })).answer.status, status, ifRange);
  });

  it('is not given of SQL', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 10);
    const answer = await fetch(`${rig.url}/download/shop`, { headers: { range: 'bytes=0-9' } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('accept-ranges'), 'none');
    assert.match(await answer.text(), /endif\n$/);
  });
});

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
    const { answer, wasReset } = await raw(rig.url, request);
    assert.ok(wasReset);
    const text = gunzipSync(withoutChunks(answer), { finishFlush: constants.Z_SYNC_FLUSH }).toString();
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
      const { answer } = await raw(
        rig.url,
        `GET ${pathname} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: ${coding}\r\n\r\n`,
      );
      assert.ok(decode(dechunked(answer)).equals(PROSE), coding);
    }
  });
});

/** The body of an answer in `Transfer-Encoding: chunked`. */
function dechunked(answer: Buffer): Buffer {
  let at = answer.indexOf('\r\n\r\n') + 4;
  const pieces: Buffer[] = [];
  for (;;) {
    const end = answer.indexOf('\r\n', at);
    const length = Number.parseInt(answer.subarray(at, end).toString(), 16);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(answer.subarray(end + 2, end + 2 + length));
    at = end + 4 + length;
  }
}

describe('errors of a download', () => {
  async function refused(rig: DownloadRig, route: string, headers: Record<string, string> = {}) {
    const answer = await fetch(`${rig.url}${route}`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  }

  it('are SQL that fails with the reason for whoever may be piping it', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 1);
    for (const accept of ['*/*', 'application/sql', 'text/plain']) {
      for (const [route, status, code] of [
        ['/download/absent', 404, 'download-not-found'],
        ['/download/shop?at=never', 400, 'download-choice-invalid'],
        ['/download/shop?nonsense=1', 400, 'request-invalid'],
        ['/download/shop?at=-9w', 404, 'snapshot-not-found'],
        ['/download/shop?format=tar', 422, 'format-not-offered'],
      ] as const) {
        const answer = await refused(rig, route, { accept });
        assert.deepEqual([answer.status, answer.type], [status, 'application/sql; charset=utf-8'], route);
        assert.match(answer.body, /\n\\set ON_ERROR_STOP on\n.*RAISE EXCEPTION/s);
        assert.ok(answer.body.includes(`${status} ${code}`), answer.body);
      }
    }
    rig.principals.set('fred', { name: 'fred', role: 'developer' });
    const stranger = await refused(rig, '/download/shop');
    assert.deepEqual([stranger.status, stranger.type], [401, 'application/sql; charset=utf-8']);
    rig.principals.set('view', { name: 'view', role: 'viewer' });
    const viewer = await refused(rig, '/download/shop', { authorization: 'Bearer view' });
    assert.deepEqual([viewer.status, viewer.type], [403, 'application/sql; charset=utf-8']);
  });

  it('are problems for programs and browsers, and where it is known that there is no SQL', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('files', 'bytes');
    for (const accept of ['application/json', 'application/problem+json', 'text/html,*/*;q=0.8'])
      assert.equal((await refused(rig, '/download/absent', { accept })).type, PROBLEM, accept);
    assert.equal((await refused(rig, '/download/files?at=-9w')).type, PROBLEM);
    rig.controls.onBytes = () => {
      throw new HoldfastError('invalid', 'download-choice-invalid', 'There is no such part.');
    };
    assert.equal((await refused(rig, '/download/files')).type, PROBLEM);
    rig.controls.onBytes = () => {
      throw new Error('a secret of the inside');
    };
    const failed = await refused(rig, '/download/files', { accept: 'application/json' });
    assert.equal(failed.status, 500);
    assert.ok(!failed.body.includes('secret'));
  });

  it('are told with a status where the content fails before its first byte', async (t) => {
    const rig = await startDownloads(t);
    await rig.backUpSql('shop', 1);
    rig.controls.onBytes = () => {
      throw new Error('a secret of the inside');
    };
    const failed = await refused(rig, '/download/shop');
    assert.deepEqual([failed.status, failed.type], [500, 'application/sql; charset=utf-8']);
    assert.ok(!failed.body.includes('secret'));
    assert.equal(rig.controls.children.size, 0);
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
    assert.match((await raw(rig.url, head)).answer.toString(), /^HTTP\/1\.1 505 /);
  });
});

describe('a connection', () => {
  it('is reset where the content is other than was announced', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.upload('shop', PROSE);
    const backup = await rig.application.backups.get(id);
    const request = 'GET /download/shop HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const size of [PROSE.length - 1, PROSE.length + 1]) {
      await rig.catalogue.backups.put({ ...backup, size });
      const { answer, wasReset } = await raw(rig.url, request);
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
      await until(() => rig.controls.reading === 0 && rig.controls.children.size === 0);
    }
    await until(async () => (await rig.audits()).length === 2);
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
      await until(() => isBlocked);
      socket.destroy();
      // Whatever reads for a client is ended first; that it has ended shows where the service knows that the client has gone.
      await until(() => [...rig.controls.children].every((child) => !isRunning(child)));
      release();
      await until(() => rig.controls.reading + rig.controls.children.size === 0);
    }
    await until(async () => (await rig.audits()).length === 2);
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
    await until(() => rig.controls.reading === 0);
    await until(async () => (await rig.audits()).length === 1);
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

describe('what is kept of a download', () => {
  it('is one event in the audit log, with who, what and how it ended', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.backUpSql('shop', 10);
    rig.principals.set('fred', { name: 'fred', role: 'developer', method: 'ldap' });
    const headers = {
      authorization: 'Bearer fred',
      'accept-encoding': 'identity',
      'x-reason': Buffer.from('ticket 4711 für Anna').toString('latin1'),
    };
    const body = await (await fetch(`${rig.url}/download/shop?mode=replace`, { headers })).text();
    await fetch(`${rig.url}/download/secret-of-others`, { headers });
    await fetch(`${rig.url}/download/shop`, { headers: { authorization: 'Bearer wrong' } });
    const [complete, refused, denied, ...others] = await rig.audits();
    assert.deepEqual(others, []);
    assert.deepEqual([complete!.actor, complete!.subject, complete!.outcome], ['fred', id, 'success']);
    assert.match(String(complete!.address), /127\.0\.0\.1$/);
    const { seconds, requestId, ...facts } = complete!.details;
    assert.ok(Number(seconds) >= 0 && String(requestId).length > 0);
    assert.deepEqual(facts, {
      ...{ status: 200, method: 'ldap', resource: 'shop', backup: id, variant: 'raw', format: 'sql', mode: 'replace' },
      ...{ reason: 'ticket 4711 für Anna', outcome: 'complete', bytes: Buffer.byteLength(body) },
    });
    assert.deepEqual([refused!.outcome, refused!.details.outcome], ['failure', 'refused']);
    assert.deepEqual([denied!.actor, denied!.outcome, denied!.details.outcome], ['anonymous', 'denied', 'denied']);
  });

  it('is counted in metrics', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', 'twelve bytes');
    await (await fetch(`${rig.url}/download/shop`)).text();
    await fetch(`${rig.url}/download/absent`);
    const metrics = await (await fetch(`${rig.url}/metrics`)).text();
    assert.match(metrics, /^holdfast_downloads_total\{outcome="complete"\} 1$/m);
    assert.match(metrics, /^holdfast_downloads_total\{outcome="refused"\} 1$/m);
    assert.match(metrics, /^holdfast_download_bytes_total 12$/m);
    assert.match(metrics, /^holdfast_download_duration_seconds_count\{outcome="complete"\} 1$/m);
    assert.match(metrics, /^holdfast_download_first_byte_seconds_count 1$/m);
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
    const { wasReset } = await raw(rig.url, `GET /backups/${id}/content HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.ok(wasReset);
  });
});
