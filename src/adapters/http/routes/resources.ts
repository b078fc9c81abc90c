import { z } from 'zod';
import type { Resource } from '../../../core/resource.ts';
import { mayUse, requireAssertionGrant, requireGrant, requireUnconfined, visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { retentionPlanAnswer } from '../retention-plan-answer.ts';
import { answers } from '../route-schemas.ts';
import { idPath, queryFlag } from '../schemas/fields.ts';
import {
  resourceRequest,
  resourceSchema,
  retentionApplyRequest,
  retentionPlanSchema,
} from '../schemas/resource-schema.ts';

const TAGS = ['Resources'];

/** What is backed up. Configurations hold secrets as references only, so they can be shown as they are. */
export function resourceRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/resources',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List resources',
        description: 'Those that the caller may use. A page may hold fewer than `limit` although more follow.',
        querystring: z.strictObject(pageQuery),
        response: answers({ 200: z.array(resourceSchema) }),
      },
    },
    async (request, reply) => {
      const page = await application.resources.list(pageRequest(request.query));
      announceNextPage(request, reply, page);
      return reply.send(page.items.filter((resource) => mayUse(request.principal, resource.id)));
    },
  );

  server.get(
    '/resources/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get a resource',
        description: 'How it is backed up. Secrets are shown as the references they are.',
        params: idPath,
        response: answers({ 200: resourceSchema }),
      },
    },
    async (request, reply) => reply.send(await visibleResource(application, request.principal, request.params.id)),
  );

  server.put(
    '/resources/:id',
    {
      config: { role: 'operator', audit: 'resource.put' },
      schema: {
        tags: TAGS,
        summary: 'Create or replace a resource',
        description:
          'Not needed for data that is posted: the first backup makes its resource. Resources that Holdfast fetches itself reach into this machine, so credentials that are confined to some resources cannot set them up.',
        params: idPath,
        body: resourceRequest,
        response: answers({ 200: resourceSchema, 201: resourceSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requireGrant(request.principal, id);
      const service = application.services.find(({ name }) => name === request.body.service);
      if (service?.source === 'fetched')
        requireUnconfined(request.principal, 'setting up what Holdfast fetches itself');
      requireAssertionGrant(request.principal, id, request.body.assertions);
      const resource = await application.resources.put({ id, ...request.body });
      request.auditDetails = { service: resource.service };
      return reply
        .code(isNew(resource) ? 201 : 200)
        .header('location', `/resources/${id}`)
        .send(resource);
    },
  );

  server.delete(
    '/resources/:id',
    {
      config: { role: 'operator', audit: 'resource.delete' },
      schema: {
        tags: TAGS,
        summary: 'Delete a resource',
        description: 'One that has backups is answered 409; `cascade=true` moves them to the trash with it.',
        params: idPath,
        querystring: z.strictObject({ cascade: queryFlag.default(false) }),
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      await application.resources.delete(resource.id, { cascade: request.query.cascade, by: request.principal.name });
      return reply.send({ deleted: [resource.id] });
    },
  );

  server.post(
    '/resources/:id/retention/apply',
    {
      config: { role: 'operator', audit: 'retention.apply' },
      schema: {
        tags: TAGS,
        summary: 'Forget what retention no longer wants',
        description: "By the rules given or, without, by the resource's policy. `dryRun` only says what would go.",
        params: idPath,
        body: retentionApplyRequest,
        response: answers({ 200: retentionPlanSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      const { dryRun, rules } = request.body;
      const plan = dryRun
        ? await previewOf(resource, rules)
        : await application.policies.apply(resource.id, request.principal.name, rules);
      request.auditDetails = { dryRun, forgotten: plan.forget.length };
      return reply.send(retentionPlanAnswer(plan, dryRun));
    },
  );

  async function previewOf(resource: Resource, rules: z.output<typeof retentionApplyRequest>['rules']) {
    const policy = resource.policyId === undefined ? undefined : await application.policies.get(resource.policyId);
    return application.policies.preview(resource.id, rules ?? policy?.rules ?? {}, policy?.timeZone);
  }
}

function isNew(resource: Resource): boolean {
  return resource.createdAt === resource.updatedAt;
}
