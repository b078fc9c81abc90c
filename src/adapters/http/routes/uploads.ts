import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BackupMetadata } from '../../../core/backup.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { announcedDigests, verifiedBytes } from '../announced-digest.ts';
import { backupAnswer, sha256Of } from '../backup-answer.ts';
import { existingResource, requireGrant } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { isJsonMediaType, splitDocument } from '../json-body.ts';
import { receivedBody, receivedBytes } from '../received-bytes.ts';
import { answers } from '../route-schemas.ts';
import { backupSchema, resourceBackupEnvelope, uploadedBackupSchema } from '../schemas/backup-schema.ts';
import { backupType, idPath, line, queryFlag } from '../schemas/fields.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerStartedBackup } from '../started-backup.ts';
import { answerPostedBackup } from './backup-creation.ts';

const TAGS = ['Backups'];

const uploadQuery = z.strictObject({
  type: backupType.optional(),
  resourceType: line(200).optional(),
  encrypt: queryFlag.optional(),
  retentionDays: z.coerce.number().int().min(1).max(36_500).optional(),
  version: z.string().max(200).optional(),
  source: z.string().max(200).optional(),
  tag: z
    .union([line(1200), z.array(line(1200)).max(64)])
    .optional()
    .describe('`name=value`; repeatable.'),
});

type UploadQuery = z.output<typeof uploadQuery>;

/** Raw streams to a resource: any bytes, any size, constant memory. */
export function uploadRoutes(server: HttpServer, context: HttpContext): void {
  const { application, configuration } = context;
  const documentLimit = configuration.server.documentLimitBytes;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', async (request: FastifyRequest, payload: FastifyRequest['raw']) => {
    if (!isEnvelope(request)) return payload;
    const bytes = await receivedBody(request.raw, payload, documentLimit);
    request.bodyBytes = bytes;
    return bytes;
  });

  server.put(
    '/resources/:id/backups',
    {
      config: { role: 'operator', audit: 'backup.create', transfer: 'large' },
      schema: {
        tags: TAGS,
        summary: 'Upload a stream as a backup',
        description:
          'Keeps the bytes as they are, whatever they are: `pg_dump shop | curl -T - http://localhost:3004/resources/shop/backups`. Memory stays constant at any size. The answer holds the SHA-256 of what arrived; `Content-Digest` (RFC 9530) or `X-Content-SHA256` is checked before anything counts as kept. An upload that breaks off leaves no backup. `Idempotency-Key` has no effect here, because the bytes are not held.',
        consumes: ['application/octet-stream'],
        params: idPath,
        querystring: uploadQuery,
        response: answers({ 201: uploadedBackupSchema }),
      },
    },
    async (request, reply) => answerUpload(context, request.params.id, request.query, request, reply),
  );

  server.post(
    '/resources/:id/backups',
    {
      config: { role: 'operator', audit: 'backup.create', idempotent: true, transfer: 'large' },
      schema: {
        tags: TAGS,
        summary: 'Create a backup of a resource',
        description:
          'For a resource that Holdfast fetches itself: no body, or JSON with `type`, `metadata`, `encrypt`; starts a backup and answers 202 (`Prefer: wait=60` waits). Otherwise a body of the media type `application/json` is read as in `POST /backups` (without `resourceId`), and any other is kept as it is, as with PUT.',
        params: idPath,
        querystring: uploadQuery,
        response: answers({ 201: backupSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requireGrant(request.principal, id);
      if (request.body instanceof Readable) return answerUpload(context, id, request.query, request, reply);
      if (request.body === undefined || (Buffer.isBuffer(request.body) && request.body.length === 0)) {
        const resource = await existingResource(application, request.principal, id);
        const service = application.services.find(({ name }) => name === resource?.service);
        if (service?.source !== 'fetched') throw bodyIsEmpty(id);
        const { type, encrypt } = request.query;
        return answerStartedBackup(
          application,
          { resourceId: id, type, encrypt, metadata: metadataOf(request.query) },
          request,
          reply,
        );
      }
      const { envelope, data } = splitDocument(request.body, resourceBackupEnvelope, {
        limitBytes: documentLimit,
        depthLimit: configuration.server.documentDepthLimit,
      });
      return answerPostedBackup(context, { ...envelope, resourceId: id }, data, request, reply);
    },
  );
}

async function answerUpload(
  { application }: HttpContext,
  resourceId: string,
  query: UploadQuery,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  requireGrant(request.principal, resourceId);
  const metadata = metadataOf(query);
  const digests = announcedDigests(request.headers);
  const body = request.body instanceof Readable ? request.body : Readable.from([]);
  const bytes = receivedBytes(body);
  const upload = new AbortController();
  const abort = () => upload.abort();
  reply.raw.once('close', abort);
  const backup = await application.backups.createPosted({
    resourceId,
    resourceType: query.resourceType,
    type: query.type,
    encrypt: query.encrypt,
    metadata,
    service: 'stream',
    input: digests.length === 0 ? bytes : verifiedBytes(bytes, digests),
    createdBy: request.principal.name,
    signal: upload.signal,
  });
  reply.raw.off('close', abort);
  request.auditDetails = { backupId: backup.id };
  return reply
    .code(201)
    .header('location', `/backups/${backup.id}`)
    .send({ ...backupAnswer(backup), sha256: sha256Of(backup.checksum) });
}

/** JSON with POST says what to do; everything else, and everything with PUT, is what to keep. */
function isEnvelope(request: FastifyRequest): boolean {
  return request.method === 'POST' && isJsonMediaType(request.headers['content-type']);
}

function metadataOf(query: UploadQuery): Partial<BackupMetadata> | undefined {
  const { retentionDays, version, source } = query;
  const tags = query.tag === undefined ? undefined : Object.fromEntries([query.tag].flat().map(nameAndValue));
  const given = Object.entries({ retentionDays, version, source, tags }).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function nameAndValue(tag: string): [string, string] {
  const at = tag.indexOf('=');
  if (at > 0) return [tag.slice(0, at), tag.slice(at + 1)];
  throw new HoldfastError('invalid', 'request-invalid', `The request is not valid. tag: ${tag} must be name=value.`, {
    details: { in: 'query', errors: [{ field: 'tag', message: 'must be name=value' }] },
  });
}

function bodyIsEmpty(id: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'body-missing',
    `The request has no body, and ${id} is not a resource that Holdfast fetches itself. Send the bytes to keep, or set the resource up with PUT /resources/${id}.`,
  );
}
