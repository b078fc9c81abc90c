import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { keySlotSchema, repositorySchema, verifyRequest } from '../schemas/administration-schema.ts';
import { idPath } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerAccepted, waitedFor } from '../started-backup.ts';

const TAGS = ['Repositories'];

/** Where the bytes rest. Keys can be listed here; they are added, removed and rotated with the command line only. */
export function repositoryRoutes(server: HttpServer, { application }: HttpContext): void {
  const { repositories } = application;

  server.get(
    '/repositories',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'List repositories',
        description: 'Where they are and what they hold.',
        querystring: z.strictObject({}),
        response: answers({ 200: z.array(repositorySchema) }),
      },
    },
    async (_request, reply) => reply.send(await repositories.list()),
  );

  server.get(
    '/repositories/:id',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'Get a repository',
        description: 'Where it is and what it holds.',
        params: idPath,
        response: answers({ 200: repositorySchema }),
      },
    },
    async (request, reply) => reply.send(await repositories.get(request.params.id)),
  );

  server.get(
    '/repositories/:id/keys',
    {
      config: { role: 'admin', unconfined: true, audit: 'key.list' },
      schema: {
        tags: TAGS,
        summary: 'List key slots',
        description: 'What can open the repository; never the keys themselves. `holdfast key` changes them.',
        params: idPath,
        response: answers({ 200: z.array(keySlotSchema) }),
      },
    },
    async (request, reply) => reply.send(await repositories.keys(request.params.id)),
  );

  server.post(
    '/repositories/:id/verify',
    {
      config: { role: 'admin', unconfined: true, audit: 'repository.verify', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Verify a repository',
        description: 'Starts a check; its findings are the result of the operation. `Prefer: wait=60` waits.',
        params: idPath,
        body: verifyRequest,
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const started = await repositories.startVerify(request.params.id, {
        ...request.body,
        createdBy: request.principal.name,
      });
      request.auditDetails = { operationId: started.id, level: request.body.level };
      return answerAccepted(await waitedFor(application, started, request, reply), reply);
    },
  );
}
