import { createHash } from 'node:crypto';
import { z } from 'zod';
import { backupAnswer } from '../backup-answer.ts';
import { visibleBackup } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { answers } from '../route-schemas.ts';
import { backupChange, backupSchema, deletedBackupsSchema, validationSchema } from '../schemas/backup-schema.ts';
import { backupType, idPath, line, queryFlag, queryTimestamp, resourceOrLogId } from '../schemas/fields.ts';

const TAGS = ['Backups'];

/** Finding, changing, checking and deleting backups. Making them: `backup-creation.ts`; their content: `backup-content.ts`. */
export function backupRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/backups',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List backups',
        description: 'Newest first. The next page, if there is one, is named in `Link` and `X-Next-Cursor`.',
        querystring: z.strictObject({
          resourceId: resourceOrLogId.optional().describe("With `~log` behind it: the pieces of the resource's log."),
          resourceType: line(200).optional(),
          type: backupType.optional(),
          tag: line(1200).optional().describe('`name` or `name=value`.'),
          from: queryTimestamp.optional().describe('Made at or after this time (RFC 3339).'),
          until: queryTimestamp.optional().describe('Made before this time (RFC 3339).'),
          ...pageQuery,
        }),
        response: answers({ 200: z.array(backupSchema) }),
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query;
      const { resources } = request.principal;
      const page = await application.backups.list(
        resources === undefined ? filter : { ...filter, resources },
        pageRequest({ limit, cursor }),
      );
      announceNextPage(request, reply, page);
      return reply.send(page.items.map(backupAnswer));
    },
  );

  server.get(
    '/backups/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get backup details',
        description: 'Carries an `ETag`; with `If-None-Match` an unchanged backup is answered 304.',
        params: idPath,
        response: answers({ 200: backupSchema }),
      },
    },
    async (request, reply) => {
      const text = JSON.stringify(backupAnswer(await visibleBackup(application, request.principal, request.params.id)));
      const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
      return reply.type('application/json; charset=utf-8').send(text);
    },
  );

  server.patch(
    '/backups/:id',
    {
      config: { role: 'operator', audit: 'backup.update' },
      schema: {
        tags: TAGS,
        summary: 'Change a backup',
        description: 'Hold it or lift the hold, change when it expires, replace its tags.',
        params: idPath,
        body: backupChange,
        response: answers({ 200: backupSchema }),
      },
    },
    async (request, reply) => {
      const backup = await visibleBackup(application, request.principal, request.params.id);
      request.auditDetails = { change: request.body };
      return reply.send(backupAnswer(await application.backups.update(backup.id, request.body)));
    },
  );

  server.delete(
    '/backups/:id',
    {
      config: { role: 'operator', audit: 'backup.delete' },
      schema: {
        tags: TAGS,
        summary: 'Delete a backup',
        description:
          'Moves it to the trash, from where it goes for good after some days. A backup that others build on is answered 409 with their ids; `cascade=true` takes them along.',
        params: idPath,
        querystring: z.strictObject({ cascade: queryFlag.default(false) }),
        response: answers({ 200: deletedBackupsSchema }),
      },
    },
    async (request, reply) => {
      const backup = await visibleBackup(application, request.principal, request.params.id);
      const deleted = await application.backups.delete(backup.id, {
        cascade: request.query.cascade,
        reason: 'deleted over the API',
        by: request.principal.name,
      });
      request.auditDetails = { resourceId: backup.resourceId, deleted };
      return reply.send({ deleted });
    },
  );

  server.post(
    '/backups/:id/validate',
    {
      config: { role: 'developer', audit: 'backup.validate', transfer: 'always' },
      schema: {
        tags: TAGS,
        summary: 'Validate a backup',
        description: 'Restores nothing and checks everything: the chain, checksums, structure, expiry.',
        params: idPath,
        response: answers({ 200: validationSchema }),
      },
    },
    async (request, reply) => {
      const backup = await visibleBackup(application, request.principal, request.params.id);
      return reply.send(await application.backups.validate(backup.id));
    },
  );
}

/** Whether one of the tags of `If-None-Match` (RFC 9110, section 13.1.2) names the present state. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
