import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';

export interface Asked {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Parsed, where there was one. */
  body: unknown;
}

export type JsonAnswer = { status: number; body: unknown } | 'hang-up' | 'silence';

/** A server of JSON on a free port of the loopback, which remembers what it was asked. */
export abstract class HttpTestServer {
  readonly asked: Asked[] = [];
  #url = '';
  #end: () => Promise<void> = async () => undefined;

  get url(): string {
    return this.#url;
  }

  abstract answer(asked: Asked): JsonAnswer;

  async start(tls?: { key: string; cert: string }): Promise<this> {
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    this.#end = async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    };
    return this;
  }

  close(): Promise<void> {
    return this.#end();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    const body = (request.headers['content-length'] ?? '0') === '0' ? undefined : await json(request);
    const path = decodeURIComponent(url.pathname);
    const asked = { method: request.method ?? '', path, query: url.searchParams, headers: request.headers, body };
    this.asked.push(asked);
    const answer = this.answer(asked);
    if (answer === 'hang-up') request.socket.destroy();
    else if (answer !== 'silence')
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  }
}
