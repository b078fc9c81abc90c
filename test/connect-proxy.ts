import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A proxy of HTTP on a free port of loopback that knows where names lead that nobody else can resolve. It goes with the test. */
export class ConnectProxy {
  /** What it was asked for: `CONNECT host:port` or `POST http://host/path`. */
  readonly asked: string[] = [];
  /** Connections that are open. */
  readonly sockets = new Set<Socket>();
  /** Absent: it never answers. */
  status: number | undefined = 200;
  port = 0;
  readonly #places: Readonly<Record<string, number>>;
  readonly #password: string | undefined;

  private constructor(places: Readonly<Record<string, number>>, password: string | undefined) {
    this.#places = places;
    this.#password = password;
  }

  /**
   * @param places ports of loopback by `host:port`
   * @param password of the user `me`; absent: it asks for none
   */
  static async start(
    context: TestContext,
    places: Readonly<Record<string, number>>,
    password?: string,
  ): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(places, password);
    const server = createServer((incoming, response) => proxy.#forward(incoming, response));
    server.on('connect', (incoming: IncomingMessage, client: Socket) => proxy.#tunnel(incoming, client));
    server.on('connection', (socket: Socket) => {
      proxy.sockets.add(socket);
      socket.on('close', () => proxy.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy.port = (server.address() as AddressInfo).port;
    context.after(async () => {
      for (const socket of proxy.sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return proxy;
  }

  #tunnel(incoming: IncomingMessage, client: Socket): void {
    this.asked.push(`CONNECT ${incoming.url}`);
    client.on('error', () => undefined);
    const status = this.#statusFor(incoming);
    if (status === undefined) {
      // Read, so that its end is noticed.
      client.resume().on('end', () => client.end());
      return;
    }
    const port = this.#places[incoming.url ?? ''];
    if (status !== 200 || port === undefined) {
      client.resume().end(`HTTP/1.1 ${port === undefined && status === 200 ? 502 : status} No\r\n\r\n`);
      return;
    }
    const target = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    this.asked.push(`${incoming.method} ${incoming.url}`);
    const status = this.#statusFor(incoming);
    if (status === undefined) return;
    const url = new URL(incoming.url ?? '');
    const port = this.#places[`${url.hostname}:${url.port === '' ? 80 : url.port}`];
    if (status !== 200 || port === undefined) {
      response.writeHead(port === undefined && status === 200 ? 502 : status).end();
      return;
    }
    const { 'proxy-authorization': _own, ...headers } = incoming.headers;
    const options = { host: '127.0.0.1', port, path: url.pathname, method: incoming.method, headers };
    incoming.pipe(request(options, (answer) => response.writeHead(answer.statusCode ?? 502).end()));
  }

  #statusFor({ headers }: IncomingMessage): number | undefined {
    if (this.#password === undefined) return this.status;
    const expected = `Basic ${Buffer.from(`me:${this.#password}`).toString('base64')}`;
    return headers['proxy-authorization'] === expected ? this.status : 407;
  }
}
