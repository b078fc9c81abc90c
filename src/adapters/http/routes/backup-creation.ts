import type { FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../../../core/errors.ts';
import { backupAnswer } from '../backup-answer.ts';
import { existingResource, requireGrant } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { keepJsonBodies, splitDocument } from '../json-body.ts';
import { answers } from '../route-schemas.ts';
import { backupEnvelope, backupRequest, backupSchema } from '../schemas/backup-schema.ts';
import { operationSchema } from '../schemas/operation-schema.ts';
import { answerStartedBackup } from '../started-backup.ts';

type BackupEnvelope = ReturnType<typeof backupEnvelope.parse>;

/** `POST /backups`: JSON documents of any size up to the limit, and the start of backups that Holdfast fetches itself. */
export function backupCreationRoutes(server: HttpServer, context: HttpContext): void {
  const { configuration } = context;
  keepJsonBodies(server);

  server.post(
    '/backups',
    {
      config: { role: 'operator', audit: 'backup.create', idempotent: true, transfer: 'large' },
      bodyLimit: configuration.server.documentLimitBytes,
      // The body is checked when it has been split: it may hold a document that nothing else should look into.
      validatorCompiler: () => (value) => ({ value }),
      schema: {
        tags: ['Backups'],
        summary: 'Create a backup',
        description:
          'With `data`, keeps that JSON document and answers 201 with the finished backup. Without, for a resource that Holdfast fetches itself, starts a backup and answers 202 with its operation; `Prefer: wait=60` waits for the backup. An incremental or differential backup without a base becomes a full one and says so.',
        body: backupRequest,
        response: answers({ 201: backupSchema, 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const { envelope, data } = splitDocument(request.body, backupEnvelope, {
        limitBytes: configuration.server.documentLimitBytes,
        depthLimit: configuration.server.documentDepthLimit,
      });
      return answerPostedBackup(context, envelope, data, request, reply);
    },
  );
}

/** Keeps the document, or starts a backup where there is none to keep. */
export async function answerPostedBackup(
  { application }: HttpContext,
  envelope: BackupEnvelope,
  data: Uint8Array | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  request.auditSubject = envelope.resourceId;
  requireGrant(request.principal, envelope.resourceId);
  if (data === undefined) {
    const resource = await existingResource(application, request.principal, envelope.resourceId);
    const service = application.services.find(({ name }) => name === resource?.service);
    if (service?.source !== 'fetched') throw dataMissing(envelope.resourceId);
    const { resourceType: _label, ...start } = envelope;
    return answerStartedBackup(application, start, request, reply);
  }
  const backup = await application.backups.createPosted({
    ...envelope,
    service: 'document',
    input: once(data),
    createdBy: request.principal.name,
  });
  request.auditDetails = { backupId: backup.id };
  return reply.code(201).header('location', `/backups/${backup.id}`).send(backupAnswer(backup));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function dataMissing(resourceId: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'data-missing',
    `data: the JSON to keep is missing, and ${resourceId} is not a resource that Holdfast fetches itself. Send the state of ${resourceId} as data, or set the resource up with PUT /resources/${resourceId}.`,
    { details: { errors: [{ field: 'data', message: 'is missing' }] } },
  );
}
