import { connect, createServer, type Server, type Socket } from 'node:net';

/** Forwards connections to a port and cuts them after so many bytes that came from there. */
export class CuttingProxy {
  /** undefined: never */
  cutAfter: number | undefined;
  /** Changes the first place in each piece that holds these bytes, to as many others. */
  change?: { from: Buffer; to: Buffer };
  /** How many connections it has cut. */
  cuts = 0;
  /** Bytes that came through. */
  forwarded = 0;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async to(target: number): Promise<CuttingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const proxy = new CuttingProxy(server, typeof address === 'object' && address !== null ? address.port : 0);
    server.on('connection', (client) => proxy.#forward(client, target));
    return proxy;
  }

  /** Lets everything through and counts anew. */
  reset(cutAfter?: number): void {
    this.cutAfter = cutAfter;
    this.forwarded = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #forward(client: Socket, target: number): void {
    let isCut = false;
    const server = connect(target, '127.0.0.1');
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    client.on('data', (bytes: Buffer) => void server.write(bytes));
    server.on('data', (bytes: Buffer) => {
      const left = (this.cutAfter ?? Number.POSITIVE_INFINITY) - this.forwarded;
      this.forwarded += bytes.length;
      if (left < bytes.length && !isCut) {
        isCut = true;
        this.cuts++;
      }
      const place = this.change === undefined ? -1 : bytes.indexOf(this.change.from);
      if (place >= 0) this.change?.to.copy(bytes, place);
      const passes = left >= bytes.length ? bytes : bytes.subarray(0, Math.max(0, left));
      const goesOn = client.write(passes, () => {
        if (left < bytes.length) end();
      });
      if (goesOn) return;
      server.pause();
      client.once('drain', () => server.resume());
    });
  }
}
