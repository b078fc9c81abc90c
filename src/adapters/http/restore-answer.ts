import type { RestoreOperation } from '../../core/application.ts';

/** A restore operation as the API shows it: the seed's fields in the seed's order, then ours. */
export function restoreOperationAnswer(operation: RestoreOperation) {
  return {
    id: operation.id,
    backupId: operation.backupId,
    targetResourceId: operation.targetResourceId,
    type: operation.type,
    status: operation.status,
    validated: operation.validated,
    validationErrors: operation.validationErrors,
    progress: operation.progress,
    createdAt: operation.createdAt,
    completedAt: operation.completedAt,
    createdBy: operation.createdBy,
    resourceId: operation.resourceId,
    validation: operation.validation,
    detail: operation.detail,
    result: operation.result,
    error: operation.error,
    warnings: operation.warnings,
  };
}

/**
 * `{"operation": …, "data": …}` with the document's text put in as it is: parsing it again would cost time and could lose
 * numbers that a double cannot hold.
 */
export function restoreAnswer(operation: RestoreOperation, data: Uint8Array | undefined): Buffer {
  const head = JSON.stringify({ operation: restoreOperationAnswer(operation) });
  if (data === undefined) return Buffer.from(`${head}\n`);
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"data":`), data, CLOSING_BRACE]);
}

const CLOSING_BRACE = Buffer.from('}\n');
