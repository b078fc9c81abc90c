import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RestoreOperation } from '../../../core/application.ts';
import {
  mayKnowOf,
  mayUse,
  notFound,
  requireContentGrant,
  requireGrant,
  requireUnconfined,
  visibleBackup,
} from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { restoreAnswer, restoreOperationAnswer } from '../restore-answer.ts';
import { answers } from '../route-schemas.ts';
import { idPath, operationStatus } from '../schemas/fields.ts';
import {
  pointInTimeRequest,
  restoreAnswerSchema,
  restoreOperationSchema,
  restoreRequest,
} from '../schemas/operation-schema.ts';
import { operationFailed, waitedFor } from '../started-backup.ts';

const TAGS = ['Restore'];

/** Bringing data back. */
export function restoreRoutes(server: HttpServer, { application }: HttpContext): void {
  server.post(
    '/restore',
    {
      config: { role: 'operator', audit: 'restore.create', idempotent: true, transfer: 'always' },
      schema: {
        tags: TAGS,
        summary: 'Restore from a backup',
        description:
          'A document comes back at once as `data`, verified. File trees are restored by an operation: 202, and `Location` says where to watch it (`Prefer: wait=60` waits). The bytes of streams come from `GET /backups/{id}/content`.',
        body: restoreRequest,
        response: answers({ 200: restoreAnswerSchema, 202: restoreAnswerSchema }),
      },
    },
    async (request, reply) => {
      const { body, principal } = request;
      const backup = await visibleBackup(application, principal, body.backupId);
      request.auditSubject = backup.id;
      requireContentGrant(principal, backup.resourceId);
      requireRestoreGrants(request, body);
      const restored = await application.restores.restore({ ...body, createdBy: body.createdBy ?? principal.name });
      request.auditDetails = { resourceId: backup.resourceId, operationId: restored.operation.id };
      return answerRestore(restored, request, reply);
    },
  );

  server.post(
    '/restore/point-in-time',
    {
      config: { role: 'operator', audit: 'restore.create', idempotent: true, transfer: 'always' },
      schema: {
        tags: TAGS,
        summary: 'Restore a point in time',
        description: 'The newest backup of the resource at or before `timestamp`, otherwise as `POST /restore`.',
        body: pointInTimeRequest,
        response: answers({ 200: restoreAnswerSchema, 202: restoreAnswerSchema }),
      },
    },
    async (request, reply) => {
      const { body, principal } = request;
      request.auditSubject = body.resourceId;
      if (!mayUse(principal, body.resourceId)) {
        throw notFound('resource', body.resourceId, 'GET /resources lists those that exist');
      }
      requireContentGrant(principal, body.resourceId);
      requireRestoreGrants(request, body);
      const restored = await application.restores.restorePointInTime({
        ...body,
        createdBy: body.createdBy ?? principal.name,
      });
      request.auditDetails = { operationId: restored.operation.id, backupId: restored.operation.backupId };
      return answerRestore(restored, request, reply);
    },
  );

  server.get(
    '/restore/operations',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List restore operations',
        description: 'Newest first.',
        querystring: z.strictObject({ status: operationStatus.optional(), ...pageQuery }),
        response: answers({ 200: z.array(restoreOperationSchema) }),
      },
    },
    async (request, reply) => {
      const { status } = request.query;
      const { resources } = request.principal;
      const page = await application.restores.list(
        { ...(status === undefined ? {} : { status }), ...(resources === undefined ? {} : { resources }) },
        pageRequest(request.query),
      );
      announceNextPage(request, reply, page);
      return reply.send(page.items.map(restoreOperationAnswer));
    },
  );

  server.get(
    '/restore/operations/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get a restore operation',
        description: 'How a restore stands. `GET /operations/{id}/events` tells of each change.',
        params: idPath,
        response: answers({ 200: restoreOperationSchema }),
      },
    },
    async (request, reply) => {
      const operation = await application.restores.get(request.params.id);
      if (!mayKnowOf(request.principal, operation)) {
        throw notFound('restore-operation', request.params.id, 'GET /restore/operations lists those that exist');
      }
      return reply.send(restoreOperationAnswer(operation));
    },
  );

  async function answerRestore(
    { operation, data }: { operation: RestoreOperation; data?: Uint8Array },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    reply.type('application/json; charset=utf-8').header('location', `/restore/operations/${operation.id}`);
    if (data !== undefined) return reply.send(restoreAnswer(operation, data));
    if (operation.status === 'queued' || operation.status === 'running') {
      await waitedFor(application, await application.operations.get(operation.id), request, reply);
    }
    const now = await application.restores.get(operation.id);
    if (now.status === 'failed') throw operationFailed(now);
    return reply.code(now.status === 'completed' ? 200 : 202).send(restoreAnswer(now, undefined));
  }
}

/** What a restore may reach besides the backup: another resource, or any folder of the machine. */
function requireRestoreGrants(
  { principal }: FastifyRequest,
  body: { targetResourceId?: string | undefined; options?: Record<string, unknown> | undefined },
): void {
  if (body.targetResourceId !== undefined) requireGrant(principal, body.targetResourceId);
  if (body.options?.target !== undefined) requireUnconfined(principal, 'restoring into a folder of your choice');
  if (body.options?.connection !== undefined) requireUnconfined(principal, 'restoring to a server of your choice');
}
