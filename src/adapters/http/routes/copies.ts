import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { copySchema, syncRequest } from '../schemas/copy-schema.ts';
import { idPath } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerAccepted, waitedFor } from '../started-backup.ts';

const TAGS = ['Copies'];

/** The second and third copies of backups. They are configured in the file and made with the command line only. */
export function copyRoutes(server: HttpServer, { application }: HttpContext): void {
  const { copies } = application;

  server.get(
    '/copies',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'List copies',
        description: 'Where they are, whether they can be reached now, and how far they are behind.',
        querystring: z.strictObject({}),
        response: answers({ 200: z.array(copySchema) }),
      },
    },
    async (_request, reply) => reply.send(await copies.list()),
  );

  server.post(
    '/copies/:id/sync',
    {
      config: { role: 'admin', unconfined: true, audit: 'copy.sync', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Sync a copy',
        description:
          'Starts an operation that brings a copy in line: new backups are copied, each chunk compared with its id; what the repository forgot goes to the trash of the copy; then a part of the copy is read and compared.',
        params: idPath,
        body: syncRequest,
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const started = await copies.startSync(id, { ...request.body, createdBy: request.principal.name });
      request.auditDetails = { operationId: started.id };
      return answerAccepted(await waitedFor(application, started, request, reply), reply);
    },
  );
}
