import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Drill } from '../../../core/drill.ts';
import { evidenceHash } from '../../../core/drill-evidence.ts';
import { unlessNotFound } from '../../../core/errors.ts';
import type { Operation } from '../../../core/operation.ts';
import { DRILL_REPORT_STYLE_HASH, drillReport } from '../../../reports/drill-report.ts';
import { mayUse, notFound, requireAssertionGrant, visibleBackup, visibleResource } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { drillRequest, drillSchema, drillStandingSchema, drillVerdict } from '../schemas/drill-schema.ts';
import { id, idPath } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerAccepted, waitedFor } from '../started-backup.ts';

const TAGS = ['Drills'];

/** Proving that backups restore, and the evidence of it. */
export function drillRoutes(server: HttpServer, { application }: HttpContext): void {
  const { drills } = application;

  server.post(
    '/resources/:id/drills',
    {
      config: { role: 'operator', audit: 'drill.create', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Start a restore drill',
        description:
          'Restores a backup into a throw-away target and compares it with what was backed up; nothing of the source is touched. 202, and `Location` says where to watch it. With `Prefer: wait=60` the evidence is the answer, 201, where the drill passes meanwhile; one that does not pass is answered as the error that it found, with `drillId`.',
        params: idPath,
        body: drillRequest,
        response: answers({ 201: drillSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      const { body, principal } = request;
      requireAssertionGrant(principal, resource.id, body.assertions);
      if (body.backupId !== undefined) await visibleBackup(application, principal, body.backupId);
      const started = await drills.start({ ...body, resourceId: resource.id, createdBy: principal.name });
      request.auditDetails = { operationId: started.id, backupId: started.backupId };
      return answerStartedDrill(started, request, reply);
    },
  );

  server.get(
    '/resources/:id/drills/summary',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Tell when a resource was last proven restorable',
        description: 'The newest drill that passed, and the newest one whatever it found.',
        params: idPath,
        response: answers({ 200: drillStandingSchema }),
      },
    },
    async (request, reply) => {
      const resource = await visibleResource(application, request.principal, request.params.id);
      return reply.send(await drills.standing(resource.id));
    },
  );

  server.get(
    '/drills',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List restore drills',
        description: 'Newest first, each with all of its evidence.',
        querystring: z.strictObject({ resourceId: id.optional(), outcome: drillVerdict.optional(), ...pageQuery }),
        response: answers({ 200: z.array(drillSchema) }),
      },
    },
    async (request, reply) => {
      const { resourceId, outcome } = request.query;
      const { resources } = request.principal;
      const filter = {
        ...(resourceId === undefined ? {} : { resourceId }),
        ...(outcome === undefined ? {} : { outcome }),
        ...(resources === undefined ? {} : { resources }),
      };
      const page = await drills.list(filter, pageRequest(request.query));
      announceNextPage(request, reply, page);
      return reply.send(page.items);
    },
  );

  server.get(
    '/drills/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get the evidence of a drill',
        description: 'All that is kept of it; `GET /drills/{id}/report` is the same for people.',
        params: idPath,
        response: answers({ 200: drillSchema }),
      },
    },
    async (request, reply) => {
      const drill = await visibleDrill(request);
      return prefersHtml(request) ? sendReport(drill, reply) : reply.send(drill);
    },
  );

  server.get(
    '/drills/:id/report',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get the report of a drill',
        description: 'One page of HTML to read, print or file; it needs nothing from elsewhere.',
        params: idPath,
        response: answers({ 200: bytesAnswer('The report.', 'text/html', z.string()) }),
      },
    },
    async (request, reply) => sendReport(await visibleDrill(request), reply),
  );

  async function visibleDrill(request: FastifyRequest<{ Params: { id: string } }>): Promise<Drill> {
    const { id: drillId } = request.params;
    const drill = await unlessNotFound(drills.get(drillId));
    if (drill !== undefined && mayUse(request.principal, drill.resourceId)) return drill;
    throw notFound('drill', drillId, 'GET /drills lists those that exist');
  }

  async function answerStartedDrill(
    started: Operation,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const operation = await waitedFor(application, started, request, reply);
    const drillId = operation.result?.drillId;
    if (operation.status !== 'completed' || typeof drillId !== 'string') return answerAccepted(operation, reply);
    const drill = await drills.get(drillId);
    return reply.code(201).header('location', `/drills/${drill.id}`).send(drill);
  }
}

/** The page may use its own style and nothing else. */
function sendReport(drill: Drill, reply: FastifyReply): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header(
      'content-security-policy',
      `default-src 'none'; style-src '${DRILL_REPORT_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox`,
    )
    .send(drillReport(drill, evidenceHash(drill)));
}

/** A browser names HTML first; programs name JSON or anything. */
function prefersHtml({ headers }: FastifyRequest): boolean {
  const [first] = (headers.accept ?? '').split(',');
  return first?.trim().startsWith('text/html') === true;
}
