import { z } from 'zod';
import { visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { retentionPlanAnswer } from '../retention-plan-answer.ts';
import { answers } from '../route-schemas.ts';
import { idPath } from '../schemas/fields.ts';
import {
  newPolicyRequest,
  policyPreviewRequest,
  policyRequest,
  policySchema,
  retentionPlanSchema,
} from '../schemas/resource-schema.ts';

const TAGS = ['Policies'];

/** Which backups are kept. Policies serve many resources, so confined credentials may read but not change them. */
export function policyRoutes(server: HttpServer, { application }: HttpContext): void {
  const { policies } = application;

  server.get(
    '/policies',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List policies',
        description: 'All retention policies.',
        querystring: z.strictObject({}),
        response: answers({ 200: z.array(policySchema) }),
      },
    },
    async (_request, reply) => reply.send(await policies.list()),
  );

  server.post(
    '/policies',
    {
      config: { role: 'operator', unconfined: true, audit: 'policy.put', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Create a policy',
        description: 'A backup is kept while any rule wants it.',
        body: newPolicyRequest,
        response: answers({ 201: policySchema }),
      },
    },
    async (request, reply) => {
      const policy = await policies.put(request.body);
      request.auditSubject = policy.id;
      return reply.code(201).header('location', `/policies/${policy.id}`).send(policy);
    },
  );

  server.post(
    '/policies/preview',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Preview rules',
        description: "What rules would keep and forget of a resource's backups, with the reasons. Changes nothing.",
        body: policyPreviewRequest,
        response: answers({ 200: retentionPlanSchema }),
      },
    },
    async (request, reply) => {
      const { resourceId, rules, timeZone } = request.body;
      const resource = await visibleResource(application, request.principal, resourceId);
      return reply.send(retentionPlanAnswer(await policies.preview(resource.id, rules, timeZone), true));
    },
  );

  server.get(
    '/policies/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get a policy',
        description: 'Its rules and time zone.',
        params: idPath,
        response: answers({ 200: policySchema }),
      },
    },
    async (request, reply) => reply.send(await policies.get(request.params.id)),
  );

  server.put(
    '/policies/:id',
    {
      config: { role: 'operator', unconfined: true, audit: 'policy.put' },
      schema: {
        tags: TAGS,
        summary: 'Create or replace a policy',
        description: 'Takes effect with the next cleanup.',
        params: idPath,
        body: policyRequest,
        response: answers({ 200: policySchema }),
      },
    },
    async (request, reply) => reply.send(await policies.put({ id: request.params.id, ...request.body })),
  );

  server.delete(
    '/policies/:id',
    {
      config: { role: 'operator', unconfined: true, audit: 'policy.delete' },
      schema: {
        tags: TAGS,
        summary: 'Delete a policy',
        description: 'Backups stay until they expire by themselves.',
        params: idPath,
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      await policies.delete(request.params.id);
      return reply.send({ deleted: [request.params.id] });
    },
  );
}
