import type { RestoreManager, RestoreOperation, RestoreRequest } from './application.ts';
import type { Backup, BackupType } from './backup.ts';
import { HoldfastError, messageOf } from './errors.ts';
import { requireUsableId } from './identifier.ts';
import type { ManagerContext } from './manager-context.ts';
import { type Moment, readMoment } from './moment.ts';
import type { Operation, OperationError, OperationStatus } from './operation.ts';
import type { OperationOutcome, OperationWork, OperationWorkContext } from './operation-work.ts';
import type { Page, PageRequest } from './ports/catalogue.ts';
import type { ServiceRestore } from './ports/service.ts';
import { queuedOperation } from './queued-operation.ts';
import { requireBackup } from './required-rows.ts';
import { ResourceLogStore } from './resource-log-store.ts';
import { withEstimate } from './restore-estimate.ts';
import { targetResourceOf } from './restore-target.ts';
import { openChain } from './snapshot-chain.ts';
import { damagedResult, saysDamaged, soundResult, type ValidationResult } from './validator.ts';

/** What a restore operation's row says that it is to do. */
interface RestoreInput {
  backupId: string;
  type: BackupType;
  validate: boolean;
  targetResourceId?: string;
  options: Readonly<Record<string, unknown>>;
  /** For services with logs: the moment as the caller wrote it. */
  moment?: string;
}

/** What a restore operation's row says that came of it; besides, the service's own report. */
interface RestoreResult extends Readonly<Record<string, unknown>> {
  validated?: boolean;
  validation?: ValidationResult;
}

interface RestoreEnd {
  outcome: OperationOutcome;
  restored: ServiceRestore;
}

/** Gives back what was backed up; see `RestoreManager` for what each method promises. */
export class CatalogueRestoreManager implements RestoreManager {
  readonly #context: ManagerContext;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  async restore(
    request: RestoreRequest,
    signal?: AbortSignal,
  ): Promise<{ operation: RestoreOperation; data?: Uint8Array }> {
    const backup = await requireBackup(this.#context, request.backupId);
    await this.#requireRestorable(backup, request.targetResourceId);
    const operation = this.#describe(backup, request);
    if (backup.contentKind === 'document') return this.#restoreDocument(operation, backup, signal);
    await this.#context.queue.enqueue(operation);
    return { operation: restoreView(operation) };
  }

  async restorePointInTime(
    request: Omit<RestoreRequest, 'backupId'> & { resourceId: string; timestamp: string },
    signal?: AbortSignal,
  ): Promise<{ operation: RestoreOperation; data?: Uint8Array }> {
    const { resourceId, timestamp, ...rest } = request;
    const named = momentOf(timestamp);
    if (await this.#hasLog(resourceId)) return this.#restoreByLog(rest, resourceId, named);
    const moment = new Date(named.lastMillisecond).toISOString();
    const { maxSnapshots } = this.#context.configuration;
    const backup = await this.#context.catalogue.backups.atOrBefore(resourceId, moment, maxSnapshots);
    if (backup === undefined) throw await this.#noBackupAt(resourceId, moment);
    return this.restore({ ...rest, backupId: backup.id }, signal);
  }

  /** From the newest backup that was complete by then, the log leads to the very moment. */
  async #restoreByLog(
    request: Omit<RestoreRequest, 'backupId'>,
    resourceId: string,
    { written, milliseconds }: Moment,
  ): Promise<{ operation: RestoreOperation }> {
    const moment = new Date(milliseconds).toISOString();
    const all = await this.#context.catalogue.backups.allOf(resourceId);
    const backup = all.find(({ status, completedAt }) => status === 'completed' && completedAt <= moment);
    if (backup === undefined) throw await this.#noBackupAt(resourceId, moment);
    await this.#requireRestorable(backup, request.targetResourceId);
    const operation = this.#describe(backup, { ...request, backupId: backup.id }, written);
    await this.#context.queue.enqueue(operation);
    return { operation: restoreView(operation) };
  }

  /** What can be told before the operation is queued. */
  async #requireRestorable(backup: Backup, targetResourceId: string | undefined): Promise<void> {
    this.#context.services.get(backup.service);
    if (targetResourceId !== undefined) requireUsableId(targetResourceId, 'resource');
    await targetResourceOf(this.#context, backup, targetResourceId);
  }

  async #hasLog(resourceId: string): Promise<boolean> {
    const resource = await this.#context.catalogue.resources.get(resourceId);
    return resource !== undefined && this.#context.services.get(resource.service).log !== undefined;
  }

  async list(
    filter: { status?: OperationStatus; resources?: readonly string[] },
    page: PageRequest,
  ): Promise<Page<RestoreOperation>> {
    const found = await this.#context.catalogue.operations.page({ ...filter, kind: 'restore' }, page);
    return { ...found, items: found.items.map(restoreView) };
  }

  /** @throws HoldfastError `operation-not-found` (not-found) */
  async get(id: string): Promise<RestoreOperation> {
    const operation = await this.#context.catalogue.operations.get(id);
    if (operation?.kind === 'restore') return restoreView(operation);
    const message = `There is no restore operation "${id}". List them with GET /restore/operations.`;
    throw new HoldfastError('not-found', 'operation-not-found', message, { details: { operationId: id } });
  }

  /** Runs an operation that `restore` queued. */
  readonly work: OperationWork = async (operation, context) => {
    const backup = await requireBackup(this.#context, inputOf(operation).backupId);
    try {
      const { outcome } = await this.#runHooked(operation, backup, context);
      if (outcome.failure !== undefined) {
        this.#notifyFailure(
          operation,
          backup,
          new HoldfastError('damaged', outcome.failure.code, outcome.failure.message),
        );
        return outcome;
      }
      void this.#context.notifier.notify({
        type: 'restore-completed',
        subject: backup.resourceId,
        message: `Restored ${backup.id} of ${backup.resourceId}.`,
        details: { backupId: backup.id, operationId: operation.id },
      });
      return outcome;
    } catch (error) {
      if (!context.signal.aborted) this.#notifyFailure(operation, backup, error);
      throw error;
    }
  };

  /** Small and quick enough to be answered at once; the operation's row tells that it happened. */
  async #restoreDocument(
    queued: Operation,
    backup: Backup,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<{ operation: RestoreOperation; data?: Uint8Array }> {
    const { catalogue, clock } = this.#context;
    const operation: Operation = { ...queued, status: 'running', attempts: 1, startedAt: queued.createdAt };
    await catalogue.operations.insertRunning(operation, this.#context.owner);
    const end = async (change: Partial<Operation>): Promise<RestoreOperation> => {
      const ended = { ...change, completedAt: clock.now().toISOString() };
      await catalogue.operations.update(operation.id, ended);
      return restoreView({ ...operation, ...ended });
    };
    try {
      const warnings: string[] = [];
      const context = { signal, report: () => undefined, warn: (message: string) => void warnings.push(message) };
      const { outcome, restored } = await this.#runHooked(operation, backup, context);
      const view = await end({ status: 'completed', progress: { percent: 100 }, result: outcome.result, warnings });
      return restored.data === undefined ? { operation: view } : { operation: view, data: restored.data };
    } catch (error) {
      const how = signal.aborted
        ? { status: 'cancelled' as const }
        : { status: 'failed' as const, error: failureOf(error), result: this.#failedResult(backup, error) };
      // What is wrong with the restore is what counts.
      await end(how).catch((err: unknown) =>
        this.#context.logger.error({ err, operationId: operation.id }, 'recording an operation failed'),
      );
      if (!signal.aborted) this.#notifyFailure(operation, backup, error);
      throw error;
    }
  }

  /** What only looks what would be done has no hooks: they would stop for nothing what others use. */
  async #runHooked(operation: Operation, backup: Backup, context: OperationWorkContext): Promise<RestoreEnd> {
    const { options, targetResourceId } = inputOf(operation);
    const run = () => this.#run(operation, backup, context);
    if (options.dryRun === true) return run();
    const event = { resourceId: backup.resourceId, backupId: backup.id, operationId: operation.id };
    return this.#context.hookedWork.around(
      {
        kind: 'restore',
        hooksOf: targetResourceId ?? backup.resourceId,
        event: { ...event, ...(targetResourceId === undefined ? {} : { targetResourceId }) },
        ...context,
      },
      (warnings) => {
        for (const warning of warnings) context.warn(warning);
        return run();
      },
      ({ outcome }) => ({ outcome: outcome.failure === undefined ? 'completed' : 'failed' }),
    );
  }

  async #run(
    operation: Operation,
    backup: Backup,
    { signal, report, warn }: OperationWorkContext,
  ): Promise<RestoreEnd> {
    const input = inputOf(operation);
    const resource = await this.#context.catalogue.resources.get(backup.resourceId);
    const targetResource = await targetResourceOf(this.#context, backup, input.targetResourceId);
    const chain = await openChain(this.#context.catalogue, this.#context.repositories.get(backup.repositoryId), backup);
    try {
      const service = this.#context.services.get(backup.service);
      const restored = await service.restore({
        backup,
        chain: chain.links,
        options: input.options,
        ...(resource === undefined ? {} : { resource }),
        ...(service.log === undefined ? {} : { log: new ResourceLogStore(this.#context, backup.resourceId) }),
        ...(input.moment === undefined ? {} : { moment: input.moment }),
        ...(targetResource === undefined ? {} : { targetResource }),
        signal,
        report,
        warn,
      });
      signal.throwIfAborted();
      const result = await this.#result(input, backup, restored);
      const failure = damageOf(backup, restored);
      return { restored, outcome: failure === undefined ? { result } : { result, failure } };
    } finally {
      await chain.close();
    }
  }

  async #result(
    input: RestoreInput,
    backup: Backup,
    restored: ServiceRestore,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { plan, restoredBytes = backup.size } = restored;
    return {
      ...restored.report,
      ...(plan === undefined
        ? { service: backup.service, restoredBytes }
        : { plan: await withEstimate(this.#context, backup, plan) }),
      ...(restored.checksum === undefined ? {} : { checksum: restored.checksum }),
      ...(backup.contentKind === 'stream' ? { content: `/backups/${backup.id}/content` } : {}),
      validated: input.validate && plan === undefined && !isHurt(restored),
      ...(input.validate && plan === undefined && !isHurt(restored)
        ? { validation: soundResult(backup, this.#context.clock.now()) }
        : {}),
    };
  }

  #failedResult(backup: Backup, error: unknown): Readonly<Record<string, unknown>> {
    if (!saysDamaged(error)) return { validated: false };
    return { validated: true, validation: damagedResult(backup, error, this.#context.clock.now()) };
  }

  #describe(backup: Backup, request: RestoreRequest, moment?: string): Operation {
    const input: RestoreInput = {
      backupId: backup.id,
      type: backup.type,
      validate: request.validate ?? true,
      ...(request.targetResourceId === undefined ? {} : { targetResourceId: request.targetResourceId }),
      options: request.options ?? {},
      ...(moment === undefined ? {} : { moment }),
    };
    return queuedOperation(this.#context, {
      kind: 'restore',
      input: { ...input },
      resourceId: backup.resourceId,
      backupId: backup.id,
      createdBy: request.createdBy,
    });
  }

  #notifyFailure(operation: Operation, backup: Backup, error: unknown): void {
    void this.#context.notifier.notify({
      type: 'restore-failed',
      subject: backup.resourceId,
      message: `The restore of ${backup.id} failed: ${messageOf(error)}`,
      details: { backupId: backup.id, operationId: operation.id },
    });
  }

  async #noBackupAt(resourceId: string, moment: string): Promise<HoldfastError> {
    const all = await this.#context.catalogue.backups.allOf(resourceId);
    const { maxSnapshots } = this.#context.configuration;
    const oldest = all
      .filter(({ status }) => status === 'completed')
      .slice(0, maxSnapshots)
      .at(-1);
    const advice =
      oldest === undefined
        ? `"${resourceId}" has no backups.`
        : `The oldest one that is looked at is of ${oldest.createdAt} (the newest ${maxSnapshots} count); older ones restore by their id.`;
    return new HoldfastError(
      'not-found',
      'no-backup-at-time',
      `No backup of "${resourceId}" was made at or before ${moment}. ${advice}`,
      { details: { resourceId, timestamp: moment, ...(oldest === undefined ? {} : { oldest: oldest.createdAt }) } },
    );
  }
}

/** A restore that put up with damage gave back all that is left; it is no success, and nobody may take it for one. */
function damageOf(backup: Backup, restored: ServiceRestore): OperationError | undefined {
  const damages = restored.damages ?? [];
  const [first] = damages;
  if (first === undefined) return undefined;
  const where = first.path === undefined ? '' : ` in ${first.path}`;
  return {
    code: 'restored-with-damage',
    kind: 'damaged',
    message: `${backup.id} was restored with zeros for what is lost: ${damages.length} places${damages.length > 1 ? ', the first' : ''}${where} at byte ${first.offset}, ${first.length} bytes. The result lists them.`,
  };
}

function isHurt({ damages }: ServiceRestore): boolean {
  return (damages ?? []).length > 0;
}

/** An operation as restores show it. */
export function restoreView(operation: Operation): RestoreOperation {
  const input = inputOf(operation);
  const { error, completedAt, resourceId } = operation;
  const { validated, validation, ...result } = (operation.result ?? {}) as RestoreResult;
  return {
    id: operation.id,
    backupId: input.backupId,
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(input.targetResourceId === undefined ? {} : { targetResourceId: input.targetResourceId }),
    type: input.type,
    status: operation.status,
    validated: validated === true,
    validationErrors: validation?.errors ?? [],
    ...(validation === undefined ? {} : { validation }),
    progress: operation.progress.percent,
    detail: operation.progress,
    ...(operation.result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    warnings: operation.warnings,
    createdAt: operation.createdAt,
    ...(completedAt === undefined ? {} : { completedAt }),
    createdBy: operation.createdBy,
  };
}

/** Rows of restores are written by this manager alone. */
function inputOf(operation: Operation): RestoreInput {
  return operation.input as unknown as RestoreInput;
}

function failureOf(error: unknown) {
  if (error instanceof HoldfastError) return { code: error.code, message: error.message, kind: error.kind };
  return { code: 'internal', message: messageOf(error), kind: 'internal' as const };
}

/** @throws HoldfastError `timestamp-invalid` (invalid) */
function momentOf(timestamp: string): Moment {
  const moment = readMoment(timestamp);
  if (moment !== undefined) return moment;
  const message = `"${timestamp}" is no time. Use RFC 3339, for example 2025-01-01T12:30:00Z.`;
  throw new HoldfastError('invalid', 'timestamp-invalid', message, { details: { field: 'timestamp' } });
}
