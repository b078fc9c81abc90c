import { visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { idPath } from '../schemas/fields.ts';
import { resourceLogSchema } from '../schemas/resource-log-schema.ts';

/** The logs of databases, kept beside their backups so that they restore to any moment. */
export function resourceLogRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/resources/:id/log',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['Resources'],
        summary: "Show how a resource's log stands",
        description:
          'What is stored of it, whether it is followed now, and how far the repository is behind. Its pieces are listed by `GET /backups?resourceId={id}~log`.',
        params: idPath,
        response: answers({ 200: resourceLogSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      return reply.send(await application.logs.overview(resource.id));
    },
  );
}
