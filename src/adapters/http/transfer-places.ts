import type { FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../../core/errors.ts';
import type { HttpServer } from './http-server.ts';

/** Bodies up to this size pass without a place: they are in memory for a moment only. */
const SMALL_BODY_BYTES = 1024 * 1024;

/**
 * Lets at most `limit` transfers (large uploads, restores, downloads) run at once; one more is answered 429 at once, before
 * its body is read, so that a crowd cannot exhaust memory.
 */
export function limitTransfers(server: HttpServer, limit: number): void {
  let taken = 0;
  server.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const { transfer } = request.routeOptions.config;
    if (transfer === undefined || (transfer === 'large' && !isLarge(request))) return;
    if (taken >= limit) {
      reply.header('retry-after', 2);
      throw new HoldfastError(
        'too-many',
        'transfers-busy',
        `All ${limit} places for transfers are taken. Try again in a moment, or raise server.maxConcurrentTransfers.`,
        { details: { limit } },
      );
    }
    taken++;
    reply.raw.once('close', () => {
      taken--;
    });
  });
}

function isLarge(request: FastifyRequest): boolean {
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return Number(request.headers['content-length'] ?? 0) > SMALL_BODY_BYTES;
}
