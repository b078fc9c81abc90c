import { z } from 'zod';
import { visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { idPath } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerAccepted, waitedFor } from '../started-backup.ts';

const adoptionRequest = z
  .strictObject({
    all: z.boolean().default(false).describe('All that the other tool retains, oldest first; else the newest alone.'),
  })
  .prefault({});

/** Taking the backups of other tools into the repository. */
export function adoptionRoutes(server: HttpServer, { application }: HttpContext): void {
  server.post(
    '/resources/:id/adopt',
    {
      config: { role: 'operator', audit: 'resource.adopt', idempotent: true },
      schema: {
        tags: ['Resources'],
        summary: "Adopt another tool's backups",
        description:
          'Fetches, decrypts and stores backups that another tool made, each as a backup with the time of the original. What was adopted before is not adopted again, so it may be repeated. 202, and `Location` says where to watch it; with `Prefer: wait=60` 200 where it is done meanwhile.',
        params: idPath,
        body: adoptionRequest,
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      const { all } = request.body;
      const started = await application.adoptions.start({
        ...{ resourceId: resource.id, all, createdBy: request.principal.name },
      });
      request.auditDetails = { operationId: started.id, all };
      return answerAccepted(await waitedFor(application, started, request, reply), reply);
    },
  );
}
