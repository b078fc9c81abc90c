import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import { usageError } from '../exit-codes.ts';
import type { GivenTicket } from './given-ticket.ts';

export interface ServerOptions {
  url: URL;
  authorization: string | undefined;
  version: string;
}

/** What an answer with content says of it. */
export interface ContentFacts {
  /** Where the answer's bytes begin in the content. */
  offset: number;
  /** Bytes of the whole content. */
  length?: number;
  /** Hex, of the whole content. */
  sha256?: string;
  /** Strong: the same text means the same bytes. */
  etag?: string;
  acceptsRanges: boolean;
  snapshotId: string;
  resourceId: string;
  createdAt: string;
  /** A newer one, whose copy is not made yet. */
  newerId?: string;
}

export interface Content extends ContentFacts {
  /** @throws HoldfastError `download-cut` (damaged) */
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * What is written without a scheme is https, but on this machine, where the service itself speaks http.
 * @throws HoldfastError usage
 */
export function serverAddress(text: string): URL {
  const scheme = /^(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/.test(text) ? 'http' : 'https';
  const url = URL.parse(text.includes('://') ? text : `${scheme}://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw usageError('server-invalid', 'The server must be an address such as https://backups.example.org.');
  if (url.password !== '' || url.username !== '')
    throw usageError(
      'server-invalid',
      'Others can read arguments: leave user and password out of the address (--user).',
    );
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Calls the routes for downloads of a service. */
export class SnapshotServer {
  readonly #options: ServerOptions;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** What may be downloaded, newest first. */
  async list(query: URLSearchParams, signal: AbortSignal): Promise<Record<string, unknown>[]> {
    const all: Record<string, unknown>[] = [];
    for (let cursor: string | undefined; ; ) {
      if (cursor !== undefined) query.set('cursor', cursor);
      const response = await this.#get('snapshots', query, { accept: 'application/json' }, signal);
      const page: unknown = await response.json();
      if (!Array.isArray(page)) throw notHoldfast(this.#options.url);
      all.push(...page);
      cursor = response.headers.get('x-next-cursor') ?? undefined;
      if (cursor === undefined || all.length >= MOST_LISTED) return all;
    }
  }

  /**
   * @param from where to go on, if the content is still the one of that tag; it is given from its beginning where it is not
   * @throws HoldfastError as the server has it, `server-unreachable` (unavailable)
   */
  async content(
    resourceId: string | undefined,
    query: URLSearchParams,
    signal: AbortSignal,
    from?: { offset: number; etag: string },
  ): Promise<Content> {
    const route = resourceId === undefined ? 'download' : `download/${encodeURIComponent(resourceId)}`;
    const range: Record<string, string> =
      from === undefined ? {} : { range: `bytes=${from.offset}-`, 'if-range': from.etag };
    // Errors as JSON: this is no client of a database.
    const headers = {
      accept: 'application/problem+json, */*;q=0.9',
      'accept-encoding': 'identity',
      prefer: PATIENCE,
      ...range,
    };
    const response = await this.#whenMade(() => this.#get(route, query, headers, signal), signal);
    if (response.body === null || response.headers.has('content-encoding')) throw notHoldfast(this.#options.url);
    return { ...factsOf(response, this.#options.url), bytes: bytesOf(response, signal) };
  }

  /** A one-time leave to download; what is asked for and what comes is as `POST /tickets` has it. */
  async ticket(request: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<GivenTicket> {
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    const body = JSON.stringify(request);
    const response = await this.#call('tickets', new URLSearchParams(), { method: 'POST', headers, body }, signal);
    const answer: unknown = await response.json().catch(() => signal.throwIfAborted());
    // `pull` comes here too, and needs no such package.
    const { givenTicket } = await import('./given-ticket.ts');
    const ticket = givenTicket(answer);
    if (ticket === undefined) throw notHoldfast(this.#options.url);
    return ticket;
  }

  /** A copy that has to be made first is asked for until it is there: the server holds each request for minutes. */
  async #whenMade(get: () => Promise<Response>, signal: AbortSignal): Promise<Response> {
    for (;;) {
      try {
        return await get();
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'variant-being-made') throw error;
        await sleep(PAUSE_MILLISECONDS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  #get(route: string, query: URLSearchParams, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    return this.#call(route, query, { headers }, signal);
  }

  async #call(
    route: string,
    query: URLSearchParams,
    { headers, ...call }: { method?: string; headers: Record<string, string>; body?: string },
    signal: AbortSignal,
  ): Promise<Response> {
    const { url, authorization, version } = this.#options;
    const address = new URL(route, url);
    address.search = query.toString();
    const credentials = authorization === undefined ? {} : { authorization };
    let response: Response;
    try {
      response = await fetch(address, {
        ...call,
        headers: { ...headers, ...credentials, 'user-agent': `holdfast-pull/${version}` },
        signal,
      });
    } catch (cause) {
      signal.throwIfAborted();
      const message = `${url.origin} cannot be reached (${reasonOf(cause)}).${schemeAdvice(url, cause)} See whether the service runs there, or name another by --server or HOLDFAST_URL.`;
      throw new HoldfastError('unavailable', 'server-unreachable', message, { cause });
    }
    if (response.ok) return response;
    throw await refusal(response, url, authorization !== undefined);
  }
}

/** For a copy that has to be made first; Node.js itself waits five minutes for headers. */
const PATIENCE = 'wait=240';
const PAUSE_MILLISECONDS = 1000;
const MOST_LISTED = 100_000;
const MOST_PROBLEM = 1_000_000;

function factsOf({ status, headers }: Response, url: URL): ContentFacts {
  const header = (name: string) => headers.get(name) ?? undefined;
  const [, start = '0', total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(header('content-range') ?? '') ?? [];
  const length = status === 206 ? total : header('content-length');
  const digest = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]+):/.exec(header('repr-digest') ?? '')?.[1];
  const etag = header('etag');
  const newerId = header('x-snapshot-newer');
  if (status === 206 && total === undefined) throw notHoldfast(url);
  return {
    offset: Number(start),
    ...(length === undefined ? {} : { length: Number(length) }),
    ...(digest === undefined ? {} : { sha256: Buffer.from(digest, 'base64').toString('hex') }),
    ...(etag?.startsWith('"') ? { etag } : {}),
    acceptsRanges: header('accept-ranges') === 'bytes',
    snapshotId: header('x-snapshot-id') ?? '',
    resourceId: header('x-snapshot-resource') ?? '',
    createdAt: header('x-snapshot-created') ?? '',
    ...(newerId === undefined ? {} : { newerId }),
  };
}

/**
 * Takes the response and not its body alone: a body that nobody reads yet is cancelled when its response is collected as garbage, and
 * then looks like an empty one that came to its end.
 */
async function* bytesOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    if (response.body !== null) yield* response.body;
  } catch (cause) {
    signal.throwIfAborted();
    throw cutOff(`the connection broke (${reasonOf(cause)})`, cause);
  }
}

/** @param how for people: `the connection broke` */
export function cutOff(how: string, cause?: unknown): HoldfastError {
  const message = `The download is not whole: ${how}. Do not use what came of it; run the command again.`;
  return new HoldfastError('damaged', 'download-cut', message, { cause });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return messageOf(cause);
}

/** Holdfast itself speaks http; TLS belongs to a proxy before it. */
function schemeAdvice(url: URL, cause: unknown): string {
  return NO_TLS.has(reasonOf(cause))
    ? ` What answers there speaks no TLS: write http://${url.host}, if you trust the way there.`
    : '';
}

const NO_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

function notHoldfast({ origin }: URL): HoldfastError {
  const message = `What answers at ${origin} is not the download service of Holdfast, or something between changes its answers.`;
  return new HoldfastError('unavailable', 'server-strange', message);
}

const KINDS: Readonly<Record<number, HoldfastError['kind']>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'denied',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  422: 'unsupported',
  429: 'too-many',
};

async function refusal(response: Response, url: URL, hasCredentials: boolean): Promise<HoldfastError> {
  const { status } = response;
  const problem = problemOf(await beginningOf(response));
  const kind = KINDS[status] ?? 'unavailable';
  const advice = status === 401 ? adviceFor(hasCredentials) : waitFor(response);
  const message = `${problem.detail ?? `${url.origin} answered ${status}.`}${advice}`;
  return new HoldfastError(kind, problem.code ?? `http-${status}`, message, { details: { status } });
}

function adviceFor(hasCredentials: boolean): string {
  return hasCredentials ? '' : ' Give --user NAME, --token env:NAME, or write your password into ~/.netrc.';
}

function waitFor({ headers }: Response): string {
  const seconds = headers.get('retry-after');
  return seconds !== null && /^\d+$/.test(seconds) ? ` Try again in ${seconds} s.` : '';
}

async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return '';
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > MOST_PROBLEM) break;
    }
  } catch {
    // The status says enough.
  }
  return text;
}

function problemOf(text: string): { code?: string; detail?: string } {
  try {
    const { code, detail } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof code === 'string' ? { code } : {}),
      ...(typeof detail === 'string' && detail !== '' ? { detail } : {}),
    };
  } catch {
    return {};
  }
}
