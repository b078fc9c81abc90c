import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to one request on its way to the server or back. Places are bytes of the body; -1: before all else. */
export type Fault =
  | { kind: 'request-cut'; after: number }
  /** `fin`: the connection ends as if all was said */
  | { kind: 'answer-cut'; after: number; fin?: boolean }
  | { kind: 'status'; status: number; retryAfter?: number }
  /** The server did what was asked, and nobody learns of it. */
  | { kind: 'answer-lost' }
  | { kind: 'answer-late'; milliseconds: number }
  | { kind: 'other-answer'; change: (body: Buffer) => Buffer };

export interface PassingRequest {
  method: string;
  /** with the query */
  url: string;
  headers: IncomingMessage['headers'];
}

/** Stands between a client of S3 and its server and makes of some requests what networks and servers under stress make of them. */
export class S3Proxy {
  readonly endpoint: string;
  /** Asked for each request. */
  fault: (request: PassingRequest) => Fault | undefined = () => undefined;
  /** Runs before a request goes on to the server; it goes on even if its client has gone meanwhile. */
  before: ((request: PassingRequest) => Promise<void>) | undefined;
  readonly seen: PassingRequest[] = [];
  /** connections that clients opened */
  connections = 0;
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.#target = target;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async to(target: number): Promise<S3Proxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const proxy = new S3Proxy(server, typeof address === 'object' && address !== null ? address.port : 0, target);
    server.on('connection', (socket: Socket) => {
      proxy.connections++;
      proxy.#sockets.add(socket);
      socket.on('close', () => proxy.#sockets.delete(socket));
    });
    server.on('request', (from, to) => {
      const { socket } = from;
      proxy.#pass(from, to).catch(() => socket.destroy());
    });
    return proxy;
  }

  /** Lets everything through and forgets what it saw. */
  reset(): void {
    this.fault = () => undefined;
    this.before = undefined;
    this.seen.length = 0;
    this.connections = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    // Whoever stops reading a request before its end takes its socket from it.
    const { method = '', url = '', headers, socket } = from;
    const passing = { method, url, headers };
    this.seen.push(passing);
    const fault = this.fault(passing);
    if (fault?.kind === 'status') {
      from.resume();
      await sleep(1);
      return refuse(to, fault);
    }
    const body = await gathered(from, fault?.kind === 'request-cut' ? fault.after : undefined);
    await this.before?.(passing);
    if (fault?.kind === 'request-cut') {
      await this.#beginAtServer(from, body);
      return void socket.destroy();
    }
    const answer = await this.#ask(from, body);
    if (fault?.kind === 'answer-lost') return void socket.destroy();
    if (fault?.kind === 'answer-late') await sleep(fault.milliseconds);
    if (to.destroyed) return;
    respond(to, from, fault?.kind === 'other-answer' ? changed(answer, fault.change) : answer, fault);
  }

  #ask(from: IncomingMessage, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { method, url: path, headers } = from;
      const onward = request(
        { host: '127.0.0.1', port: this.#target, method, path, headers, agent: false },
        (answer) => {
          gathered(answer).then((bytes) => resolve({ head: answer, body: bytes }), reject);
        },
      );
      onward.on('error', reject);
      onward.end(body);
    });
  }

  /** The server gets a part of a body and sees its connection break. */
  async #beginAtServer(from: IncomingMessage, part: Buffer): Promise<void> {
    const { method, url: path, headers } = from;
    const onward = request({ host: '127.0.0.1', port: this.#target, method, path, headers, agent: false });
    onward.on('error', () => undefined);
    await new Promise<void>((resolve) => onward.write(part.length > 0 ? part : ' ', () => resolve()));
    onward.destroy();
  }
}

interface Answer {
  head: IncomingMessage;
  body: Buffer;
}

async function gathered(stream: IncomingMessage, most = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length >= most) break;
  }
  return Buffer.concat(parts).subarray(0, most);
}

function refuse(to: ServerResponse, { status, retryAfter }: { status: number; retryAfter?: number }): void {
  const code = status === 503 ? 'SlowDown' : 'InternalError';
  to.writeHead(status, {
    'content-type': 'application/xml',
    ...(retryAfter === undefined ? {} : { 'retry-after': `${retryAfter}` }),
  });
  to.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>made by a test</Message></Error>`);
}

function changed({ head, body }: Answer, change: (body: Buffer) => Buffer): Answer {
  const bytes = change(body);
  head.headers['content-length'] = `${bytes.length}`;
  return { head, body: bytes };
}

function respond(to: ServerResponse, from: IncomingMessage, { head, body }: Answer, fault: Fault | undefined): void {
  const cut = fault?.kind === 'answer-cut' ? fault : undefined;
  const { socket } = from;
  if (cut !== undefined && cut.after < 0) return void socket.destroy();
  const headers = { ...head.headers };
  if (from.method !== 'HEAD') headers['content-length'] = `${body.length}`;
  delete headers['transfer-encoding'];
  to.writeHead(head.statusCode ?? 500, headers);
  if (cut === undefined || cut.after >= body.length) return void to.end(body);
  to.flushHeaders();
  to.write(body.subarray(0, cut.after), () => {
    if (cut.fin === true) socket.end();
    else socket.destroy();
  });
}
