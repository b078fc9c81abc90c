import type { Socket } from 'node:net';
import type { WebhookProxy } from './proxy.ts';

/** The proxy answered, and makes no tunnel. */
export class TunnelRefusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`The proxy answered ${status}.`);
    this.status = status;
  }
}

/**
 * Asks a proxy for a tunnel to the host of an address (CONNECT, RFC 9110 9.3.6). That of Node.js itself (`proxyEnv`) leaves a request
 * that is aborted without an end, and its connection open, while the proxy is silent.
 * @throws TunnelRefusal, or what the connection threw
 */
export async function tunnel(url: URL, proxy: WebhookProxy, signal: AbortSignal): Promise<Socket> {
  const { request } = proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const host = `${url.hostname}:${url.port === '' ? 443 : url.port}`;
  const options = { host: proxy.host, port: proxy.port, method: 'CONNECT', path: host, agent: false, signal };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, rejectUnauthorized: true, headers: { host, ...proxy.headers } });
    sent.on('connect', ({ statusCode = 0 }, socket: Socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        return reject(new TunnelRefusal(statusCode));
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.on('error', reject);
    sent.on('close', () => reject(new Error('The connection was closed without an answer.')));
    sent.end();
  });
}
