import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { eventually } from './eventually.ts';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  /** As it came, for signatures. */
  body: string;
}

/** One answer: a status, with headers if need be; none at all; or one that leads out of HTTP. */
export type ReceiverAnswer =
  | number
  | { status: number; headers: Record<string, string> }
  | 'silence'
  | 'hang-up'
  | 'other-protocol';

/** A server on a free port of loopback that remembers what was posted to it. It goes with the test. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  /** Taken in turn; 204 where there are none. */
  readonly answers: ReceiverAnswer[] = [];
  /** Comes before those: what is answered to some bodies each time. */
  answerTo: (body: string) => ReceiverAnswer | undefined = () => undefined;
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async start(context: TestContext, tls?: { key: string; cert: string }): Promise<WebhookReceiver> {
    const sockets = new Set<Socket>();
    let receiver: WebhookReceiver | undefined;
    const listener = (request: IncomingMessage, response: ServerResponse) => void receiver?.take(request, response);
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.after(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    receiver = new WebhookReceiver(`${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`);
    return receiver;
  }

  get url(): string {
    return this.#url;
  }

  get host(): string {
    return new URL(this.#url).host;
  }

  get bodies(): Record<string, unknown>[] {
    return this.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  }

  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    this.received.push({ path: request.url ?? '', headers: request.headers, body });
    const answer = this.answerTo(body) ?? this.answers.shift() ?? 204;
    if (answer === 'hang-up') request.socket.destroy();
    else if (answer === 'other-protocol')
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n');
    else if (typeof answer === 'number') response.writeHead(answer).end();
    else if (answer !== 'silence') response.writeHead(answer.status, answer.headers).end();
  }

  /** Waits until so many were received. */
  until(count: number): Promise<void> {
    return eventually(() => this.received.length >= count, `only ${this.received.length} of ${count} were received`);
  }
}
