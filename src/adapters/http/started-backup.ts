import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Application } from '../../core/application.ts';
import type { BackupMetadata, BackupType } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Operation } from '../../core/operation.ts';
import { backupAnswer } from './backup-answer.ts';
import { preferredWait } from './preference.ts';

interface BackupStart {
  resourceId: string;
  type?: BackupType | undefined;
  metadata?: Partial<BackupMetadata> | undefined;
  encrypt?: boolean | undefined;
}

/**
 * Starts a backup of a resource that Holdfast fetches itself: 202 with the operation or, where the caller waits long enough,
 * 201 with the backup.
 */
export async function answerStartedBackup(
  application: Application,
  start: BackupStart,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const started = await application.backups.start({ ...start, createdBy: request.principal.name });
  request.auditDetails = { operationId: started.id };
  const operation = await waitedFor(application, started, request, reply);
  const backupId = backupIdOf(operation);
  if (operation.status !== 'completed' || backupId === undefined) return answerAccepted(operation, reply);
  const backup = await application.backups.get(backupId);
  return reply.code(201).header('location', `/backups/${backup.id}`).send(backupAnswer(backup));
}

/** 202 with the operation and where it can be watched; 200 where it has completed already. */
export function answerAccepted(operation: Operation, reply: FastifyReply): FastifyReply {
  return reply
    .code(operation.status === 'completed' ? 200 : 202)
    .header('location', `/operations/${operation.id}`)
    .send(operation);
}

/**
 * The operation after the time that the caller prefers to wait.
 * @throws HoldfastError the operation's error where it failed meanwhile; `operation-cancelled` (cancelled)
 */
export async function waitedFor(
  application: Application,
  operation: Operation,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Operation> {
  const milliseconds = preferredWait(request, reply);
  if (milliseconds === 0) return operation;
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  reply.raw.once('close', stop);
  try {
    const ended = await application.operations.wait(operation.id, milliseconds, waiting.signal);
    if (ended.status === 'failed') throw operationFailed(ended);
    if (ended.status === 'cancelled') {
      throw new HoldfastError('cancelled', 'operation-cancelled', `The operation ${ended.id} was cancelled.`, {
        details: { operationId: ended.id },
      });
    }
    return ended;
  } finally {
    reply.raw.off('close', stop);
  }
}

/** What a failed operation failed of, as if the request had. */
export function operationFailed({ id, error, result }: Pick<Operation, 'id' | 'error' | 'result'>): HoldfastError {
  return new HoldfastError(
    error?.kind ?? 'internal',
    error?.code ?? 'operation-failed',
    `The operation ${id} failed. ${error?.message ?? 'It left no reason.'}`,
    { details: { operationId: id, ...(result?.drillId === undefined ? {} : { drillId: result.drillId }) } },
  );
}

function backupIdOf(operation: Operation): string | undefined {
  const fromResult = operation.result?.backupId;
  return operation.backupId ?? (typeof fromResult === 'string' ? fromResult : undefined);
}
