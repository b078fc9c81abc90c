import type { FastifyReply, FastifyRequest } from 'fastify';

const LONGEST_WAIT_SECONDS = 600;

/**
 * Reads `Prefer: wait=SECONDS` (RFC 7240) and confirms it in the answer.
 * @returns milliseconds to wait, at most ten minutes; 0 where the caller does not want to wait
 */
export function preferredWait(request: FastifyRequest, reply: FastifyReply): number {
  const header = request.headers.prefer;
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(Array.isArray(header) ? header.join(',') : (header ?? ''));
  if (match === null) return 0;
  const seconds = Math.min(Number(match[1]), LONGEST_WAIT_SECONDS);
  if (seconds > 0) reply.header('preference-applied', `wait=${seconds}`);
  return seconds * 1000;
}
