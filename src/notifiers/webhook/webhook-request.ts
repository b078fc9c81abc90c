import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { type ProxyEnvironment, proxyFor, type WebhookProxy } from './proxy.ts';
import { TunnelRefusal, tunnel } from './proxy-tunnel.ts';

/** To where, and how. */
export interface WebhookRoute {
  url: URL;
  /** Of `proxyFor`. */
  environment: ProxyEnvironment;
  /** Authorities (PEM) that are trusted; absent: the usual ones. */
  ca: string[] | undefined;
  timeoutSeconds: number;
  signal: AbortSignal;
}

export interface WebhookAnswer {
  status: number;
  retryAfter: string | undefined;
}

/**
 * Posts to an address, over a connection of its own.
 * @returns the status alone: what else comes back may repeat what was sent
 * @throws HoldfastError `webhook-unreachable` (unavailable), `proxy-invalid` (invalid), naming hosts alone
 */
export function post(
  route: WebhookRoute,
  { headers, body }: { headers: Readonly<Record<string, string>>; body: string },
): Promise<WebhookAnswer> {
  return exchange(route, headers, (request, resolve) => {
    const answered = (response: IncomingMessage) => {
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
      response.on('error', () => undefined).destroy();
    };
    request.on('response', answered);
    // Unheard, an answer that wants another protocol (101) would close the connection without an error.
    request.on('upgrade', (response: IncomingMessage, socket: Duplex) => {
      answered(response);
      socket.destroy();
    });
    request.end(body);
  });
}

/**
 * Connects to an address as `post` does, with TLS and through the proxy, and sends nothing.
 * @throws HoldfastError as `post` does
 */
export function connect(route: WebhookRoute): Promise<void> {
  return exchange(route, {}, (request, resolve) => {
    request.on('socket', (socket) => {
      const connected = () => {
        resolve();
        request.destroy();
      };
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', connected);
    });
  });
}

async function exchange<Result>(
  route: WebhookRoute,
  headers: Readonly<Record<string, string>>,
  run: (request: ClientRequest, resolve: (result: Result) => void) => void,
): Promise<Result> {
  const { url, environment, timeoutSeconds, signal } = route;
  const proxy = proxyFor(url, environment);
  const time = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    const begin = await requestTo(route, proxy, AbortSignal.any([signal, time]));
    return await new Promise((resolve, reject) => {
      const sent = begin(headers);
      sent.on('error', reject);
      sent.on('close', () => reject(new Error('The connection was closed without an answer.')));
      run(sent, resolve);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(url, proxy, time.aborted ? { timeoutSeconds } : { error });
  }
}

async function requestTo(
  { url, ca }: WebhookRoute,
  proxy: WebhookProxy | undefined,
  signal: AbortSignal,
): Promise<(headers: Readonly<Record<string, string>>) => ClientRequest> {
  // Said in so many words, because an environment variable of Node.js turns the verification off for a whole process.
  const options = { method: 'POST', agent: false, rejectUnauthorized: true, signal } as const;
  if (url.protocol === 'https:') {
    const { request } = await import('node:https');
    const through = proxy === undefined ? {} : { socket: await tunnel(url, proxy, signal) };
    const trust = ca === undefined ? {} : { ca };
    return (headers) => request(url, { ...options, ...trust, ...through, headers });
  }
  if (proxy === undefined) {
    const { request } = await import('node:http');
    return (headers) => request(url, { ...options, headers });
  }
  const { request } = proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const { host, port } = proxy;
  const { path, auth } = asForProxies(url);
  return (headers) =>
    request({ ...options, host, port, path, auth, headers: { ...headers, host: url.host, ...proxy.headers } });
}

/** The whole address, without the account in it, which goes into a header. */
function asForProxies({ origin, pathname, search, username, password }: URL): { path: string; auth: string | null } {
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { path: `${origin}${pathname}${search}`, auth: account === ':' ? null : account };
}

/** By codes alone: what Node.js says of an error holds addresses. */
function unreachable(
  url: URL,
  proxy: WebhookProxy | undefined,
  reason: { timeoutSeconds: number } | { error: unknown },
): HoldfastError {
  const by = proxy === undefined ? '' : ` by the proxy ${proxy.place}`;
  if ('timeoutSeconds' in reason) {
    const message = `${url.host} did not answer${by} within ${reason.timeoutSeconds} s.`;
    return new HoldfastError('unavailable', 'webhook-unreachable', message, { details: { reason: 'ETIMEDOUT' } });
  }
  const { error } = reason;
  const code = error instanceof TunnelRefusal ? 'proxy-refused' : (systemErrorCode(error) ?? 'unknown');
  const said = error instanceof TunnelRefusal ? `it answered ${error.status}` : code;
  const message = `${url.host} cannot be reached${by} (${said}).`;
  return new HoldfastError('unavailable', 'webhook-unreachable', message, { details: { reason: code } });
}
