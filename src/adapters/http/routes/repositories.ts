import { z } from 'zod';
import { backupAnswer } from '../backup-answer.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import {
  forgottenBackupSchema,
  keySlotSchema,
  pruneRequest,
  repairRequest,
  repositoryQuery,
  repositorySchema,
  verifyRequest,
} from '../schemas/administration-schema.ts';
import { backupSchema } from '../schemas/backup-schema.ts';
import { id as backupIdField, idPath } from '../schemas/fields.ts';
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
        description: 'Where it is, what it holds, and what was or would be removed from it.',
        params: idPath,
        querystring: repositoryQuery,
        response: answers({ 200: repositorySchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const overview = await repositories.get(id);
      if (request.query.preview !== 'true') return reply.send(overview);
      return reply.send({ ...overview, preview: await repositories.prune(id, { dryRun: true }) });
    },
  );

  server.post(
    '/repositories/:id/prune',
    {
      config: { role: 'admin', unconfined: true, audit: 'repository.prune', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Prune a repository',
        description:
          'Starts a collection of what no backup needs, beside whatever else runs; what it freed is the result of the operation.',
        params: idPath,
        body: pruneRequest,
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const started = await repositories.startPrune(id, { ...request.body, createdBy: request.principal.name });
      request.auditDetails = { operationId: started.id };
      return answerAccepted(await waitedFor(application, started, request, reply), reply);
    },
  );

  server.post(
    '/repositories/:id/repair',
    {
      config: { role: 'admin', unconfined: true, audit: 'repository.repair', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Repair a repository',
        description:
          'Starts a repair with what the repository itself has: index from packs, sound chunks of damaged packs, and a backup beside each that misses something. `holdfast repair --from FOLDER` fetches from a copy as well.',
        params: idPath,
        body: repairRequest,
        response: answers({ 200: operationSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const started = await repositories.startRepair(id, { ...request.body, createdBy: request.principal.name });
      request.auditDetails = { operationId: started.id };
      return answerAccepted(await waitedFor(application, started, request, reply), reply);
    },
  );

  server.get(
    '/repositories/:id/trash',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'List forgotten backups',
        description: 'Those that can still be brought back.',
        params: idPath,
        response: answers({ 200: z.array(forgottenBackupSchema) }),
      },
    },
    async (request, reply) => {
      const forgotten = await repositories.trash(request.params.id);
      return reply.send(
        forgotten.map(({ backup, ...entry }) => {
          const { resourceId, createdAt, size } = backup;
          return { ...entry, resourceId, createdAt, size };
        }),
      );
    },
  );

  server.post(
    '/repositories/:id/trash/:backupId/restore',
    {
      config: { role: 'admin', unconfined: true, audit: 'backup.undelete' },
      schema: {
        tags: TAGS,
        summary: 'Bring a forgotten backup back',
        description: 'As it was, with what is left of it checked against collections that ran meanwhile.',
        params: idPath.extend({ backupId: backupIdField }),
        response: answers({ 200: backupSchema }),
      },
    },
    async (request, reply) => {
      const { id: repositoryId, backupId } = request.params;
      return reply.send(backupAnswer(await repositories.undelete(repositoryId, backupId)));
    },
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
