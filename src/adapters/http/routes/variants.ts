import { Counter } from 'prom-client';
import { z } from 'zod';
import { visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { downloadFormat } from '../schemas/download-schema.ts';
import { idPath, line } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { newVariantPath, variantOverviewSchema, variantPath } from '../schemas/variant-schema.ts';
import { answerAccepted, waitedFor } from '../started-backup.ts';
import { variantOverviewAnswer } from '../variant-answer.ts';

const TAGS = ['Variants'];

/** Masked and reduced copies that are kept. */
export function variantRoutes(server: HttpServer, { application, metrics }: HttpContext): void {
  const { variants } = application;
  const made = new Counter({
    name: 'holdfast_variants_total',
    help: 'Masked and reduced copies that were made or could not be; unavailable: for a reason that may pass; blocked: for one that stays; leaked: original values were found.',
    labelNames: ['outcome'],
    registers: [metrics.registry],
  });
  for (const outcome of ['made', 'unavailable', 'blocked', 'leaked']) made.inc({ outcome }, 0);
  variants.onEnd(({ outcome }) => made.inc({ outcome }));

  server.get(
    '/resources/:id/variants',
    {
      config: { role: 'operator' },
      schema: {
        tags: TAGS,
        summary: "List a resource's masked and reduced copies",
        description:
          'What its masking policy declares, which copies are kept, and which snapshots cannot be masked and why. `GET /snapshots` tells each caller how it stands with what that caller may have.',
        params: idPath,
        response: answers({ 200: variantOverviewSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      return reply.send(variantOverviewAnswer(await variants.list(resource.id)));
    },
  );

  server.post(
    '/resources/:id/snapshots/:snapshotId/variants/:variant',
    {
      config: { role: 'operator', audit: 'variant.create', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Make a masked or reduced copy ahead',
        description:
          'So that nobody has to wait for it, or again after it could not be made. 202, and `Location` says where to watch it; 200 where `Prefer: wait=60` was long enough. Where it is being made already, it is that operation; where it is kept already, nothing is made.',
        params: newVariantPath,
        querystring: z.strictObject({ format: downloadFormat.optional(), database: line(200).optional() }),
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { principal, params, query } = request;
      const resource = await visibleResource(application, principal, params.id);
      const { snapshotId, variant } = params;
      const { format, database } = query;
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const operation = await variants.build(
        {
          ...{ resourceId: resource.id, variant, createdBy: principal.name },
          ...(snapshotId === 'latest' ? {} : { snapshotId }),
          ...(format === undefined ? {} : { format }),
          ...(database === undefined ? {} : { database }),
        },
        gone.signal,
      );
      request.auditDetails = { operationId: operation.id, variant, snapshotId };
      return answerAccepted(await waitedFor(application, operation, request, reply), reply);
    },
  );

  server.delete(
    '/resources/:id/snapshots/:snapshotId/variants/:variant',
    {
      config: { role: 'operator', audit: 'variant.delete' },
      schema: {
        tags: TAGS,
        summary: 'Remove a masked or reduced copy',
        description:
          'Whatever is kept of it, and what is remembered of why it could not be made. The backup itself stays.',
        params: variantPath,
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      const { principal, params } = request;
      const resource = await visibleResource(application, principal, params.id);
      const { snapshotId, variant } = params;
      request.auditDetails = { variant, snapshotId };
      const deleted = await variants.remove({ resourceId: resource.id, snapshotId, variant });
      return reply.send({ deleted: [...deleted] });
    },
  );
}
