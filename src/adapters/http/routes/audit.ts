import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { answers } from '../route-schemas.ts';
import { auditEventSchema } from '../schemas/administration-schema.ts';
import { line } from '../schemas/fields.ts';

const TAGS = ['Audit'];

/** Who did what. */
export function auditRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/audit',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'Read the audit log',
        description: 'Newest first. Each entry holds the hash of the one before it.',
        querystring: z.strictObject({
          actor: line(200).optional(),
          action: line(200).optional(),
          subject: line(200).optional(),
          ...pageQuery,
        }),
        response: answers({ 200: z.array(auditEventSchema) }),
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query;
      const page = await application.audit.page(filter, pageRequest({ limit, cursor }));
      announceNextPage(request, reply, page);
      return reply.send(page.items);
    },
  );

  server.post(
    '/audit/verify',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'Verify the audit log',
        description: 'Recomputes the chain of hashes; `brokenAt` is the first entry that does not fit.',
        response: answers({ 200: z.object({ events: z.number(), brokenAt: z.number().optional() }) }),
      },
    },
    async (_request, reply) => reply.send(await application.audit.verify()),
  );
}
