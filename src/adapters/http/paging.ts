import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Page, PageRequest } from '../../core/ports/catalogue.ts';

/** Query parameters of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('How many to give at most; 100 if not said.'),
  cursor: z.string().min(1).max(500).optional().describe('Where to go on: `X-Next-Cursor` of the page before.'),
};

export function pageRequest(query: { limit: number; cursor?: string | undefined }): PageRequest {
  return query.cursor === undefined ? { limit: query.limit } : { limit: query.limit, cursor: query.cursor };
}

/** Tells where the next page is, in `Link` (RFC 8288) and `X-Next-Cursor`, so that the body can be a plain array. */
export function announceNextPage(request: FastifyRequest, reply: FastifyReply, page: Page<unknown>): void {
  if (page.nextCursor === undefined) return;
  const [path, query] = request.url.split('?', 2);
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', page.nextCursor);
  reply.header('link', `<${path}?${parameters}>; rel="next"`);
  reply.header('x-next-cursor', page.nextCursor);
}
