import { randomInt } from 'node:crypto';

import { CatalogueAuditLog } from './audit-log.ts';
import type { Backup } from './backup.ts';
import type { Assertion, Drill, DrillChoice, DrillMoment, DrillStanding } from './drill.ts';
import { evidenceHash } from './drill-evidence.ts';
import { chooseMoment } from './drill-moment.ts';
import type { DrillManager, DrillRequest } from './drill-request.ts';
import { DrillRun } from './drill-run.ts';
import { HoldfastError, isTransient, messageOf } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation, OperationError } from './operation.ts';
import { MOST_ATTEMPTS } from './operation-runner.ts';
import type { OperationOutcome, OperationWork } from './operation-work.ts';
import type { DrillFilter, Page, PageRequest } from './ports/catalogue.ts';
import type { DrillFolders } from './ports/drill-folders.ts';
import { queuedOperation } from './queued-operation.ts';
import { requireBackup } from './required-rows.ts';
import { drillOf, parseAssertions } from './service-registry.ts';

/** What a drill operation's row says that it is to do. */
interface DrillInput {
  which: DrillChoice;
  moment?: DrillMoment;
  assertions: readonly Assertion[];
}

/** Proves that backups restore, and keeps the evidence; see `DrillManager` for what each method promises. */
export class CatalogueDrillManager implements DrillManager {
  readonly #context: ManagerContext;
  readonly #folders: DrillFolders;
  readonly #audit: CatalogueAuditLog;
  readonly #environment: Readonly<Record<string, string>>;

  /** @param environment facts of this process, for the evidence */
  constructor(context: ManagerContext, folders: DrillFolders, environment: Readonly<Record<string, string>>) {
    this.#context = context;
    this.#folders = folders;
    this.#audit = new CatalogueAuditLog(context.catalogue.audit, context.clock);
    this.#environment = environment;
  }

  async start(request: DrillRequest): Promise<Operation> {
    const { backup, ...choice } = await this.#choose(request);
    const resource = await this.#context.catalogue.resources.get(request.resourceId);
    const service = this.#context.services.get(backup.service);
    drillOf(service);
    const assertions = await parseAssertions(service, [...(resource?.assertions ?? []), ...(request.assertions ?? [])]);
    const input: DrillInput = { ...choice, assertions };
    const operation = queuedOperation(this.#context, {
      kind: 'drill',
      input: { ...input },
      resourceId: backup.resourceId,
      backupId: backup.id,
      createdBy: request.createdBy,
    });
    await this.#context.queue.enqueue(operation);
    return operation;
  }

  async get(id: string): Promise<Drill> {
    const drill = await this.#context.catalogue.drills.get(id);
    if (drill !== undefined) return drill;
    const message = `There is no drill "${id}". List them with GET /drills or "holdfast drill list".`;
    throw new HoldfastError('not-found', 'drill-not-found', message, { details: { drillId: id } });
  }

  async list(filter: DrillFilter, page: PageRequest): Promise<Page<Drill>> {
    return this.#context.catalogue.drills.page(filter, page);
  }

  async standing(resourceId: string): Promise<DrillStanding> {
    return this.#context.catalogue.drills.standing(resourceId);
  }

  async standings(): Promise<readonly DrillStanding[]> {
    return this.#context.catalogue.drills.standings();
  }

  /** Removes what drills of dead processes left behind; that it cannot is no reason to do nothing else. */
  async removeLeftovers(): Promise<void> {
    try {
      const removed = await this.#folders.removeLeftovers();
      if (removed.length > 0) this.#context.logger.warn({ folders: removed }, 'leftovers of drills were removed');
    } catch (error) {
      this.#context.logger.error({ err: error }, 'leftovers of drills could not be removed');
    }
  }

  /** Runs an operation that `start` queued. */
  readonly work: OperationWork = async (operation, work) => {
    try {
      await this.removeLeftovers();
      const backup = await requireBackup(this.#context, operation.backupId ?? '');
      const order = { operation, backup, ...inputOf(operation), environment: this.#environment };
      const mayTryAgain = operation.attempts < MOST_ATTEMPTS;
      const drill = await new DrillRun(this.#context, this.#folders, order).perform(work, mayTryAgain);
      return await this.#keep(drill);
    } catch (error) {
      const isLast = !isTransient(error) || operation.attempts >= MOST_ATTEMPTS;
      if (!work.signal.aborted && isLast) this.#notify(operation, false, messageOf(error));
      throw error;
    }
  };

  /** Nothing behind the evidence throws: done again, the drill would leave it twice. */
  async #keep(drill: Drill): Promise<OperationOutcome> {
    await this.#context.catalogue.drills.insert(drill);
    const isPassed = drill.outcome === 'passed';
    const unvouched = await this.#vouch(drill);
    const failure = isPassed ? unvouched : failureOf(drill);
    const { resourceId, operationId, backup } = drill;
    const proven = `${backup.id} of ${resourceId} was restored and proven in ${drill.recoveryTimeMilliseconds} ms.`;
    const message = isPassed ? (unvouched?.message ?? proven) : (drill.error?.message ?? '');
    this.#notify({ id: operationId, resourceId, backupId: backup.id }, failure === undefined, message, drill);
    return { result: resultOf(drill), ...(failure === undefined ? {} : { failure }) };
  }

  /** The audit log's chain of hashes vouches for the evidence: who changes a row later is found out. @returns why it does not */
  async #vouch(drill: Drill): Promise<OperationError | undefined> {
    const { id, resourceId, backup, outcome, operationId } = drill;
    try {
      await this.#audit.record({
        actor: drill.createdBy,
        action: 'drill.complete',
        subject: id,
        outcome: outcome === 'passed' ? 'success' : 'failure',
        details: { resourceId, backupId: backup.id, operationId, drillOutcome: outcome, evidence: evidenceHash(drill) },
      });
      return undefined;
    } catch (err) {
      this.#context.logger.error({ err, drillId: id }, 'the audit log does not vouch for the evidence of a drill');
      const message = `The drill is over (${outcome}) and GET /drills/${id} has its evidence, but the audit log, which is to vouch for that, could not take it (${messageOf(err)}). Mend that and drill again.`;
      return { code: 'drill-not-vouched-for', kind: 'internal', message };
    }
  }

  #notify(
    { id, resourceId = '', backupId = '' }: Pick<Operation, 'id' | 'resourceId' | 'backupId'>,
    passed: boolean,
    message: string,
    drill?: Drill,
  ): void {
    const details = {
      operationId: id,
      backupId,
      ...(drill === undefined ? {} : { drillId: drill.id, outcome: drill.outcome, fault: drill.fault }),
    };
    void this.#context.notifier.notify({
      type: passed ? 'drill-completed' : 'drill-failed',
      subject: resourceId,
      message: passed ? message : `The restore drill of ${backupId} of ${resourceId} did not pass: ${message}`,
      details,
    });
  }

  async #choose(request: DrillRequest): Promise<Omit<DrillInput, 'assertions'> & { backup: Backup }> {
    const { resourceId, backupId, which = 'newest' } = request;
    const named = backupId === undefined ? undefined : await this.#named(backupId, resourceId);
    const chosen = await chooseMoment(this.#context, request, named);
    if (named !== undefined) return { backup: named, ...chosen, which: 'chosen' };
    if (chosen !== undefined) return { ...chosen, which: 'moment' };
    return { backup: await this.#completed(resourceId, which), which };
  }

  async #named(backupId: string, resourceId: string): Promise<Backup> {
    const backup = await requireBackup(this.#context, backupId);
    if (backup.resourceId !== resourceId) throw ofOtherResource(backup, resourceId);
    return backup;
  }

  /** @throws HoldfastError `drill-without-backup` (not-found) */
  async #completed(resourceId: string, which: 'newest' | 'random'): Promise<Backup> {
    const { backups } = this.#context.catalogue;
    if (which !== 'random') {
      const newest = await backups.latest(resourceId);
      if (newest === undefined) throw nothingToDrill(resourceId);
      return newest;
    }
    const all = (await backups.allOf(resourceId)).filter(({ status }) => status === 'completed');
    const chosen = all.length === 0 ? undefined : all[randomInt(all.length)];
    if (chosen === undefined) throw nothingToDrill(resourceId);
    return chosen;
  }
}

function inputOf({ input }: Operation): DrillInput {
  const { which, moment, assertions } = input as unknown as DrillInput;
  return { which, assertions, ...(moment === undefined ? {} : { moment }) };
}

function resultOf({ id, outcome, recoveryTimeMilliseconds, checks }: Drill): Readonly<Record<string, unknown>> {
  return {
    drillId: id,
    outcome,
    checks: checks.length,
    ...(recoveryTimeMilliseconds === undefined ? {} : { recoveryTimeMilliseconds }),
  };
}

function failureOf({ id, outcome, error }: Drill): OperationError {
  const message = `${error?.message ?? 'It left no reason.'} GET /drills/${id} has the evidence.`;
  return { code: error?.code ?? 'drill-failed', kind: outcome === 'impossible' ? 'unavailable' : 'damaged', message };
}

function ofOtherResource(backup: Backup, resourceId: string): HoldfastError {
  const message = `${backup.id} is a backup of "${backup.resourceId}", not of "${resourceId}". List those of "${resourceId}" with GET /backups?resourceId=${resourceId}.`;
  return new HoldfastError('conflict', 'backup-of-other-resource', message, { details: { backupId: backup.id } });
}

function nothingToDrill(resourceId: string): HoldfastError {
  const message = `"${resourceId}" has no completed backup that could be restored. Back it up first.`;
  return new HoldfastError('not-found', 'drill-without-backup', message, { details: { resourceId } });
}
