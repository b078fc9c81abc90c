import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../../core/errors.ts';

/** What the guard looks at in a request. */
export interface GuardedRequest {
  method: string;
  headers: IncomingHttpHeaders;
  /** Address of the peer, as the socket knows it. */
  address: string | undefined;
  /** The route needs no credentials even where there are some. */
  isOpenRoute: boolean;
}

/**
 * While no credentials exist, whoever reaches the port is its admin. So the port must be reachable for programs of this
 * machine only, and not for pages in its browsers: peers are loopback's; `Host` names loopback (else a foreign name was
 * made to resolve to it: DNS rebinding); requests that a page of another site caused, and requests that a proxy passed
 * on from elsewhere, are refused.
 *
 * @throws HoldfastError (denied) `not-loopback`, `host-not-allowed`, `cross-site-request`, `forwarded-without-credentials`
 */
export function guardAgainstStrangers(request: GuardedRequest, allowedHosts: readonly string[]): void {
  if (!isLoopbackAddress(request.address)) {
    throw denied('not-loopback', 'Only this machine may call while no credentials exist.');
  }
  requireAllowedHost(request.headers.host, allowedHosts);
  if (request.headers.forwarded !== undefined || request.headers['x-forwarded-for'] !== undefined) {
    throw denied(
      'forwarded-without-credentials',
      'A proxy passed this request on, and no credentials exist that could tell who sent it.',
    );
  }
  requireSameSite(request);
}

/**
 * Browsers add passwords and the cookies of a proxy by themselves, to requests that pages of other sites cause as well. Following a link
 * from elsewhere is allowed: the page that holds it reads nothing.
 *
 * @throws HoldfastError `cross-site-request` (denied)
 */
export function guardAgainstOtherSites(request: Pick<FastifyRequest, 'method' | 'headers' | 'host'>): void {
  const { method, headers, host } = request;
  if ((method === 'GET' || method === 'HEAD') && headers['sec-fetch-mode'] === 'navigate') return;
  const site = headers['sec-fetch-site'];
  // A proxy may have changed `Host`, so the origin counts only where the browser says nothing better.
  const isForeign =
    site === undefined
      ? headers.origin !== undefined && hostOfOrigin(headers.origin) !== host.toLowerCase()
      : site === 'cross-site' || site === 'same-site';
  if (!isForeign) return;
  throw new HoldfastError(
    'denied',
    'cross-site-request',
    'A page of another site caused this request, and the browser added the credentials by itself. Programs send them as a token: Authorization: Bearer hf_….',
  );
}

/** 127.0.0.0/8, ::1 and their IPv4-mapped forms. */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain);
}

/** Host names and addresses that a server may listen on without credentials. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(host.replace(/^\[|\]$/g, ''));
}

function requireAllowedHost(host: string | undefined, allowedHosts: readonly string[]): void {
  const name = hostName(host);
  if (name !== undefined && (isLoopbackHost(name) || allowedHosts.includes(name))) return;
  throw new HoldfastError(
    'denied',
    'host-not-allowed',
    `The header Host names ${name ?? 'nothing'}, which is not this service's name. Call it as localhost or 127.0.0.1, list the name under server.allowedHosts, or create credentials with: holdfast user add, or holdfast token create`,
  );
}

function requireSameSite(request: GuardedRequest): void {
  const site = request.headers['sec-fetch-site'];
  // A link from elsewhere to an open page is harmless: the page that holds it reads nothing.
  if (request.isOpenRoute && request.method === 'GET' && request.headers['sec-fetch-mode'] === 'navigate') return;
  const { origin } = request.headers;
  const isForeign = origin !== undefined && hostOfOrigin(origin) !== request.headers.host?.toLowerCase();
  if (isForeign || site === 'cross-site' || site === 'same-site') {
    throw denied('cross-site-request', 'A page of another site caused this request.');
  }
}

function denied(code: string, what: string): HoldfastError {
  return new HoldfastError(
    'denied',
    code,
    `${what} To allow it, create credentials with: holdfast user add, or holdfast token create`,
  );
}

/** The name in a `Host` header without its port, or undefined where the header is missing or malformed. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(host ?? '');
  return match?.[1]?.toLowerCase();
}

function hostOfOrigin(origin: string): string | undefined {
  return /^https?:\/\/(.+)$/.exec(origin.toLowerCase())?.[1];
}
