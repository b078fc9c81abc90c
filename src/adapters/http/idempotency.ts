import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Application } from '../../core/application.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { HttpServer } from './http-server.ts';

/** Answers above this size are not kept: repeating such a request does the work again. */
const KEPT_ANSWER_BYTES = 1024 * 1024;
const KEPT_HOURS = 24;
const KEPT_HEADERS = ['content-type', 'location', 'etag', 'preference-applied'] as const;

/**
 * Makes routes with `idempotent` safe to repeat: the first request with an `Idempotency-Key` does the work, later ones with
 * the same key and the same body get its answer again, for 24 hours. Keys belong to their caller and may be reused after a
 * request that failed. As in draft-ietf-httpapi-idempotency-key-header.
 */
export function honourIdempotencyKeys(server: HttpServer, application: Application): void {
  const claimed = new WeakMap<FastifyRequest, string>();
  server.decorateRequest('bodyBytes', undefined);

  server.addHook('preHandler', async (request, reply) => {
    const header = request.headers['idempotency-key'];
    if (header === undefined || request.routeOptions.config.idempotent !== true) return;
    const key = storedKey(request, header);
    const claim = await application.idempotency.begin(key, fingerprintOf(request), new Date().toISOString());
    if (claim.state === 'new') {
      claimed.set(request, key);
      return;
    }
    if (claim.state === 'done') return replay(reply, claim.status, claim.body);
    throw claim.state === 'mismatch' ? keyReused() : inProgress();
  });

  server.addHook('onSend', async (request, reply, payload) => {
    const key = claimed.get(request);
    if (key === undefined) return;
    claimed.delete(request);
    const body = textOf(payload);
    if (reply.statusCode >= 300 || body === undefined) await application.idempotency.abandon(key);
    else await application.idempotency.finish(key, reply.statusCode, keptAnswer(reply, body));
  });

  server.addHook('onReady', async () => {
    await application.idempotency.expire(new Date(Date.now() - KEPT_HOURS * 3_600_000).toISOString());
  });
}

function storedKey(request: FastifyRequest, header: string | string[]): string {
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) {
    throw new HoldfastError(
      'invalid',
      'idempotency-key-invalid',
      'Idempotency-Key must be 1 to 255 visible ASCII characters; a random UUID does well.',
    );
  }
  return createHash('sha256')
    .update(`${callerOf(request)}\n${header}`)
    .digest('hex');
}

/** Two callers of one name may be known in different ways. */
function callerOf({ principal }: FastifyRequest): string {
  return `${principal.method ?? ''} ${principal.name}`;
}

function fingerprintOf(request: FastifyRequest): string {
  return createHash('sha256')
    .update(`${callerOf(request)}\n${request.method} ${request.url}\n`)
    .update(request.bodyBytes ?? '')
    .digest('hex');
}

function keptAnswer(reply: FastifyReply, body: string): string {
  const headers = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => {
      const value = reply.getHeader(name);
      return value === undefined ? [] : [[name, String(value)]];
    }),
  );
  return JSON.stringify({ headers, body });
}

function replay(reply: FastifyReply, status: number, kept: string): FastifyReply {
  const { headers, body } = JSON.parse(kept) as { headers: Record<string, string>; body: string };
  return reply.code(status).headers(headers).header('idempotency-replayed', 'true').send(body);
}

function textOf(payload: unknown): string | undefined {
  if (typeof payload === 'string') return payload.length > KEPT_ANSWER_BYTES ? undefined : payload;
  if (Buffer.isBuffer(payload)) return payload.length > KEPT_ANSWER_BYTES ? undefined : payload.toString();
  return undefined;
}

function keyReused(): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'idempotency-key-reused',
    'This Idempotency-Key was used for a different request. Send the same request again, or take a new key.',
  );
}

function inProgress(): HoldfastError {
  return new HoldfastError(
    'conflict',
    'idempotency-key-in-progress',
    'A request with this Idempotency-Key is still being worked on. Send it again in a moment to get its answer.',
  );
}
