import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CommandLine } from './command-line.ts';

const CONTENT = randomBytes(1_500_000);
const MIDDLE = 700_000;

/** Answers as the service does, and breaks off where a test wants it. */
class DownloadServer {
  readonly requests: { url: string; headers: IncomingMessage['headers'] }[] = [];
  content: Buffer = CONTENT;
  announced: Record<string, string> = {};
  /** Places in the content at which answers break off, one after the other. */
  cuts: number[] = [];
  /** Sends nothing more after the content, nor an end. */
  isStalling = false;
  /** Refuses everything after it has broken off. */
  goesAfterCut = false;
  refusal: { status: number; problem: object } | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  reset(): void {
    this.requests.length = 0;
    this.content = CONTENT;
    this.cuts = [];
    this.refusal = undefined;
    this.isStalling = false;
    this.goesAfterCut = false;
    this.announced = {
      etag: '"one"',
      'accept-ranges': 'bytes',
      'content-length': String(CONTENT.length),
      'repr-digest': `sha-256=:${createHash('sha256').update(CONTENT).digest('base64')}:`,
    };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', headers } = request;
    this.requests.push({ url, headers });
    if (this.refusal !== undefined) {
      const { status, problem } = this.refusal;
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
      return;
    }
    if (url.startsWith('/snapshots')) this.#list(url, response);
    else this.#give(headers, response);
  }

  #give(headers: IncomingMessage['headers'], response: ServerResponse): void {
    const offset = this.#offsetFor(headers);
    const length = this.content.length;
    if (offset >= length) {
      response.writeHead(416, { 'content-range': `bytes */${length}` }).end();
      return;
    }
    const range =
      offset === 0
        ? {}
        : { 'content-range': `bytes ${offset}-${length - 1}/${length}`, 'content-length': String(length - offset) };
    const facts = {
      'x-snapshot-id': 'backup-1',
      'x-snapshot-resource': 'shop',
      'x-snapshot-created': '2026-11-20T02:00:00Z',
    };
    response.writeHead(offset === 0 ? 200 : 206, { ...facts, ...this.announced, ...range });
    const cut = this.cuts.shift();
    response.write(this.content.subarray(offset, cut), () => {
      if (this.isStalling) return;
      if (cut === undefined) response.end();
      else response.destroy();
      if (cut !== undefined && this.goesAfterCut) this.refusal = { status: 503, problem: {} };
    });
  }

  #offsetFor(headers: IncomingMessage['headers']): number {
    const [, from] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? [];
    return from === undefined || headers['if-range'] !== this.announced.etag ? 0 : Number(from);
  }

  #list(url: string, response: ServerResponse): void {
    const isSecond = url.includes('cursor=next');
    const snapshot = {
      resource: 'shop',
      createdAt: '2026-11-20T02:00:00Z',
      size: 2048,
      formats: ['sql'],
      proven: null,
    };
    response.setHeader('content-type', 'application/json');
    if (!isSecond) response.setHeader('x-next-cursor', 'next');
    response.end(JSON.stringify([{ ...snapshot, id: isSecond ? 'backup-1' : 'backup-2' }]));
  }
}

describe('holdfast pull', () => {
  const server = new DownloadServer();
  let folder: string;
  let url: string;
  let holdfast: CommandLine;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pull-'));
    url = await server.listen();
    holdfast = new CommandLine(folder);
  });
  beforeEach(() => server.reset());
  after(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pull = (words: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
    holdfast.run(['pull', ...words], '', { HOLDFAST_URL: url, ...environment });

  async function piped(words: readonly string[] = ['shop']): Promise<{ code: number; bytes: Buffer; said: string }> {
    const child = holdfast.start(['pull', ...words], { HOLDFAST_URL: url });
    const [pieces, said]: Buffer[][] = [[], []];
    child.stdout?.on('data', (piece: Buffer) => pieces?.push(piece));
    child.stderr?.on('data', (piece: Buffer) => said?.push(piece));
    const [code] = (await once(child, 'close')) as [number];
    return { code, bytes: Buffer.concat(pieces ?? []), said: Buffer.concat(said ?? []).toString() };
  }

  test('gives to a pipe what the server has, and says on standard error what it was', async () => {
    const { code, bytes, said } = await piped([
      'shop',
      '--at',
      '7d',
      '--tables',
      'a,b',
      '--path',
      '/x y',
      '--path',
      'z',
    ]);
    assert.equal(code, 0, said);
    assert.ok(bytes.equals(CONTENT));
    assert.match(said, /shop of 2026-11-20T02:00:00Z \(backup-1\), 1\.4 MiB, SHA-256 as announced/);
    assert.equal(server.requests[0]?.url, '/download/shop?at=-7d&tables=a%2Cb&path=%2Fx+y&path=z');
  });

  test('asks on while a variant is being made', async () => {
    server.refusal = { status: 409, problem: { code: 'variant-being-made', detail: 'It is being made.' } };
    const asking = piped(['shop', '--variant', 'small', '--reason', 'a ticket']);
    while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    server.refusal = undefined;
    const { code, bytes, said } = await asking;
    assert.equal(code, 0, said);
    assert.ok(bytes.equals(CONTENT));
    const { url, headers } = server.requests[0]!;
    assert.deepEqual([url, headers.prefer], ['/download/shop?variant=small&reason=a+ticket', 'wait=240']);
  });

  test('never gives a pipe the end of what was cut, is too short, or is not what was announced', async () => {
    const whole = { ...server.announced };
    const { 'content-length': _length, ...streamed } = whole;
    for (const [cuts, announced] of [
      [[MIDDLE], whole],
      [[CONTENT.length - 1], whole],
      [[CONTENT.length], streamed],
      [[1], streamed],
      [[], { ...streamed, 'repr-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` }],
    ] as const) {
      Object.assign(server, { cuts: [...cuts], announced });
      const { code, bytes, said } = await piped();
      assert.equal(code, 3, said);
      assert.ok(bytes.length <= CONTENT.length - 65_536, `${bytes.length} bytes were given`);
      assert.match(said, /not whole/);
    }
  });

  test('writes a file that appears whole, and nothing else', async () => {
    const file = path.join(folder, 'new', 'shop.sql');
    assert.equal((await pull(['shop', '--output', file])).code, 1);
    const there = path.join(folder, 'shop.sql');
    const result = await pull(['shop', '--output', there, '--json']);
    assert.deepEqual(JSON.parse(result.stdout), {
      ...{ file: there, bytes: CONTENT.length, verified: true },
      ...{ backup: 'backup-1', resource: 'shop', createdAt: '2026-11-20T02:00:00Z' },
    });
    assert.ok((await readFile(there)).equals(CONTENT));
    const again = await pull(['shop', '--output', there]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /exists and was left as it is/);
    assert.equal((await pull(['shop', '--output', there, '--conflict', 'overwrite'])).code, 0);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('shop.sql')),
      ['shop.sql'],
    );
  });

  test('goes on where the connection broke, by itself and in a later run', async () => {
    const file = path.join(folder, 'resumed');
    server.cuts = [300_000, 600_000, 900_000];
    const result = await pull(['shop', '--output', file]);
    assert.equal(result.code, 0, result.stderr);
    assert.ok((await readFile(file)).equals(CONTENT));
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['if-range']),
      [undefined, '"one"', '"one"', '"one"'],
    );

    const later = path.join(folder, 'later');
    server.reset();
    Object.assign(server, { cuts: [MIDDLE], goesAfterCut: true });
    assert.equal((await pull(['shop', '--output', later])).code, 1);
    assert.ok(!existsSync(later));
    server.reset();
    const second = await pull(['shop', '--output', later]);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /Going on after/);
    assert.match(server.requests[0]?.headers.range ?? '', /^bytes=[1-9]\d*-$/);
    assert.ok((await readFile(later)).equals(CONTENT));
  });

  test('begins anew where the server has other bytes now, or another choice is wanted', async () => {
    const file = path.join(folder, 'anew');
    const stop = async () => {
      server.reset();
      Object.assign(server, { cuts: [MIDDLE], goesAfterCut: true });
      assert.equal((await pull(['shop', '--output', file])).code, 1);
    };
    await stop();
    server.reset();
    server.content = randomBytes(900_000);
    server.announced = { etag: '"two"', 'accept-ranges': 'bytes', 'content-length': '900000' };
    assert.equal((await pull(['shop', '--output', file])).code, 0);
    assert.ok((await readFile(file)).equals(server.content));
    await rm(file);
    await stop();
    server.reset();
    assert.equal((await pull(['shop', '--output', file, '--tables', 'orders'])).code, 0);
    assert.equal(server.requests[0]?.headers.range, undefined);
    assert.ok((await readFile(file)).equals(CONTENT));
  });

  test('a part that is whole already is fetched anew, and one of somebody else is left alone', async () => {
    const file = path.join(folder, 'part');
    await writeFile(`${file}.part`, CONTENT);
    const foreign = await pull(['shop', '--output', file]);
    assert.equal(foreign.code, 1);
    assert.match(foreign.stderr, /part\.part exists and was left as it is/);
    assert.ok((await readFile(`${file}.part`)).equals(CONTENT));
    await writeFile(`${file}.part.json`, JSON.stringify({ request: `${url}/download/shop?`, etag: '"one"' }));
    assert.equal((await pull(['shop', '--output', file])).code, 0);
    assert.equal(server.requests[0]?.headers.range, `bytes=${CONTENT.length}-`);
    assert.ok((await readFile(file)).equals(CONTENT));
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('part')),
      ['part'],
    );
  });

  test('leaves nothing where a file cannot be gone on with, or is not what was announced', async () => {
    const file = path.join(folder, 'nothing');
    const { 'repr-digest': _digest, ...kept } = server.announced;
    for (const [cuts, announced] of [
      [[MIDDLE], { ...server.announced, etag: 'W/"weak"' }],
      [[MIDDLE], { 'content-length': String(CONTENT.length) }],
      [[], { ...kept, 'repr-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` }],
    ] as const) {
      Object.assign(server, { cuts: [...cuts], announced });
      assert.equal((await pull(['shop', '--output', file])).code, 3);
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.startsWith('nothing')),
        [],
      );
    }
  });

  test('tells by its exit code who was refused and what is not there, with what the server says', async () => {
    for (const [status, code] of [
      [401, 5],
      [403, 5],
      [404, 6],
      [429, 1],
      [503, 1],
    ] as const) {
      server.refusal = { status, problem: { code: 'of-the-server', detail: `The reason of ${status}.` } };
      const { code: found, bytes, said } = await piped();
      assert.equal(found, code);
      assert.equal(bytes.length, 0);
      assert.match(said, new RegExp(`The reason of ${status}\\.`));
    }
    assert.equal((await pull(['shop'], { HOLDFAST_URL: 'http://127.0.0.1:1' })).code, 1);
    assert.equal((await pull(['shop', '--at', 'latest', '--backup', 'x'])).code, 2);
    assert.equal((await pull(['shop'], { HOLDFAST_URL: '' })).code, 2);
    assert.equal((await pull(['shop', '--server', 'http://ada:secret@127.0.0.1'])).code, 2);
  });

  test('says who calls by a password, a token or ~/.netrc, none of which is an argument', async () => {
    const sent = async (words: readonly string[], environment: NodeJS.ProcessEnv = {}) => {
      server.reset();
      assert.equal((await pull(['--list', ...words], environment)).code, 0);
      const [kind, credentials = ''] = (server.requests[0]?.headers.authorization ?? '').split(' ');
      return kind === 'Basic' ? Buffer.from(credentials, 'base64').toString() : credentials;
    };
    const tokenFile = path.join(folder, 'token');
    await writeFile(tokenFile, 'of-file\n');
    assert.equal(await sent([]), '');
    assert.equal(await sent(['--user', 'ada'], { HOLDFAST_PASSWORD: 'pässword' }), 'ada:pässword');
    assert.equal(await sent([], { HOLDFAST_TOKEN: 'of-environment' }), 'of-environment');
    assert.equal(await sent(['--token', `file:${tokenFile}`], { HOLDFAST_TOKEN: 'other' }), 'of-file');
    assert.equal(await sent(['--token', 'env:OTHER'], { OTHER: 'of-other' }), 'of-other');
    assert.equal((await pull(['--list', '--token', 'plain-token'])).code, 2);
    assert.equal((await pull(['--list', '--user', 'ada'])).code, 2);
    await writeFile(path.join(folder, '.netrc'), 'machine 127.0.0.1 login bob password of-netrc\n');
    assert.equal(await sent([]), 'bob:of-netrc');
    assert.equal(await sent(['--user', 'bob']), 'bob:of-netrc');
    assert.equal(await sent([], { HOLDFAST_TOKEN: 'of-environment' }), 'of-environment');
    await rm(path.join(folder, '.netrc'));
  });

  test('lists what there is, all pages of it', async () => {
    const { stdout } = await pull(['shop', '--list']);
    assert.match(stdout, /shop +2026-11-20 02:00:00 +2\.0 KiB +sql +backup-2\n.*backup-1\n/);
    assert.match(server.requests[0]?.url ?? '', /^\/snapshots\?limit=1000&resource=shop$/);
    const { snapshots } = JSON.parse((await pull(['--list', '--json'])).stdout) as { snapshots: { id: string }[] };
    assert.deepEqual(
      snapshots.map(({ id }) => id),
      ['backup-2', 'backup-1'],
    );
  });

  test('an interruption ends it, and a file can be gone on with, by one at a time', async () => {
    const file = path.join(folder, 'interrupted');
    server.isStalling = true;
    server.announced = { etag: '"x"', 'accept-ranges': 'bytes', 'content-length': String(CONTENT.length + 1) };
    const child = holdfast.start(['pull', 'shop', '--output', file], { HOLDFAST_URL: url });
    while (!existsSync(`${file}.part`) || statSync(`${file}.part`).size === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const other = await pull(['shop', '--output', file]);
    assert.deepEqual([other.code, server.requests.length], [1, 1]);
    assert.match(other.stderr, /is being written by another/);
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 130);
    assert.ok(existsSync(`${file}.part`) && !existsSync(file));
    server.isStalling = false;
    server.announced['content-length'] = String(CONTENT.length);
    assert.equal((await pull(['shop', '--output', file])).code, 0);
    assert.ok((await readFile(file)).equals(CONTENT));
  });
});
