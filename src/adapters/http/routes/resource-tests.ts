import { requireGrant, requireUnconfined, visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { idPath } from '../schemas/fields.ts';
import { resourceTestRequest, resourceTestSchema } from '../schemas/resource-test-schema.ts';

const TAGS = ['Resources'];

/** Whether a backup would succeed, and what is missing. A failed check is an answer and no error. */
export function resourceTestRoutes(server: HttpServer, { application }: HttpContext): void {
  server.post(
    '/resources/:id/test',
    {
      config: { role: 'operator', audit: 'resource.test', transfer: 'always' },
      schema: {
        tags: TAGS,
        summary: 'Test a resource',
        description:
          'Says what a backup of it would find: whether its source can be reached and read and the repository written, what is missing and how to get it. Changes nothing, and ends after half a minute.',
        params: idPath,
        response: answers({ 200: resourceTestSchema }),
      },
    },
    async (request, reply) => {
      requireGrant(request.principal, request.params.id);
      const resource = await visibleResource(application, request.principal, request.params.id);
      const { ok, checks } = await application.resources.test({ id: resource.id });
      request.auditDetails = { ok, failed: failedOf(checks) };
      return reply.send({ resourceId: resource.id, ok, checks });
    },
  );

  server.post(
    '/resources/test',
    {
      config: { role: 'operator', audit: 'resource.test', transfer: 'always' },
      schema: {
        tags: TAGS,
        summary: 'Test a configuration',
        description:
          'As `POST /resources/{id}/test`, for a resource that is not set up yet. Credentials that are confined to some resources cannot do this.',
        body: resourceTestRequest,
        response: answers({ 200: resourceTestSchema }),
      },
    },
    async (request, reply) => {
      requireUnconfined(request.principal, 'testing a configuration of your choice');
      const { service } = request.body;
      const { ok, checks } = await application.resources.test(request.body);
      request.auditDetails = { service, ok, failed: failedOf(checks) };
      return reply.send({ ok, checks });
    },
  );
}

function failedOf(checks: readonly { name: string; outcome: string }[]): string[] {
  return checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
}
