import { adoptedBackups, MOST_ADOPTED_AT_ONCE, noExternalSnapshot, wouldHaveExpired } from './adoption.ts';
import type { Backup, BackupMetadata } from './backup.ts';
import type { BackupOrder } from './backup-maker.ts';
import { combineMetadata } from './backup-metadata.ts';
import { HoldfastError, messageOf } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { OperationOutcome, OperationWork, OperationWorkContext } from './operation-work.ts';
import type { ExternalSnapshot } from './ports/external-snapshots.ts';
import type { Service } from './ports/service.ts';
import { queuedOperation } from './queued-operation.ts';
import { requireResource } from './required-rows.ts';
import type { Resource } from './resource.ts';

/** After so many failures one after the other the fault is not that of single backups. */
const MOST_FAILURES_IN_A_ROW = 3;
const MOST_IDS = 1000;

/** Takes the backups of other tools into the repository. */
export interface AdoptionManager {
  /**
   * Starts the adoption of what another tool retains of a resource and that is not in the repository yet: the newest, or all, oldest
   * first, each as a backup of its own. It may be cut off and started again: none is adopted twice.
   * @throws HoldfastError `nothing-to-adopt-from` (unsupported): Holdfast makes the backups of this resource itself
   */
  start(request: { resourceId: string; all: boolean; createdBy: string }): Promise<Operation>;
}

export class CatalogueAdoptionManager implements AdoptionManager {
  readonly #context: ManagerContext;
  readonly #make: (order: BackupOrder) => Promise<Backup>;

  constructor(context: ManagerContext, make: (order: BackupOrder) => Promise<Backup>) {
    this.#context = context;
    this.#make = make;
  }

  async start(request: { resourceId: string; all: boolean; createdBy: string }): Promise<Operation> {
    const { resourceId, all, createdBy } = request;
    const resource = await requireResource(this.#context, resourceId);
    externalOf(this.#context.services.get(resource.service), resource);
    const operation = queuedOperation(this.#context, {
      ...{ kind: 'adopt', resourceId, createdBy },
      input: { all, metadata: combineMetadata(resource.metadata, undefined) },
    });
    await this.#context.queue.enqueue(operation);
    return operation;
  }

  /** Runs an operation that `start` queued. */
  readonly work: OperationWork = async (operation, { signal, report, warn }) => {
    const resource = await requireResource(this.#context, operation.resourceId ?? '');
    const service = this.#context.services.get(resource.service);
    const { all, metadata } = operation.input as { all: boolean; metadata: BackupMetadata };
    const external = externalOf(service, resource);
    const listed = await external.list(resource, { limit: all ? MOST_ADOPTED_AT_ONCE : 1, signal });
    if (listed.length === 0) throw noExternalSnapshot(resource);
    if (listed.length === MOST_ADOPTED_AT_ONCE)
      warn(`Only the newest ${MOST_ADOPTED_AT_ONCE} backups of the other tool were looked at.`);
    const adopted = await adoptedBackups(this.#context, resource.id);
    const missing = listed.filter(({ id }) => !adopted.has(id));
    const now = this.#context.clock.now();
    const wanted = missing.filter((snapshot) => !wouldHaveExpired(snapshot, metadata, now)).reverse();
    const expired = missing.length - wanted.length;
    if (expired > 0) warn(`${expired} are older than retentionDays (${metadata.retentionDays}) and were left out.`);
    const order = { resource, service, metadata, operationId: operation.id, signal, report, warn };
    const { backupIds, failures, foundThere } = await this.#adoptAll(wanted, order);
    const result = {
      ...{ adopted: backupIds.length, backupIds: backupIds.slice(0, MOST_IDS), failed: failures.length, expired },
      alreadyThere: listed.length - missing.length + foundThere,
    };
    return { result, ...outcomeOf(failures, wanted.length) };
  };

  async #adoptAll(
    snapshots: readonly ExternalSnapshot[],
    order: Omit<BackupOrder, 'type' | 'encrypt' | 'external'> & OperationWorkContext,
  ): Promise<{ backupIds: string[]; failures: unknown[]; foundThere: number }> {
    const backupIds: string[] = [];
    const failures: unknown[] = [];
    let foundThere = 0;
    let inARow = 0;
    for (const [index, external] of snapshots.entries()) {
      order.signal.throwIfAborted();
      const percent = Math.floor((100 * index) / snapshots.length);
      const current = `${index + 1} of ${snapshots.length}: ${external.createdAt}`;
      const report: BackupOrder['report'] = (progress) => order.report({ ...progress, percent, current });
      report({ percent, phase: 'adopting' });
      try {
        const backup = await this.#make({ ...order, type: 'full', encrypt: true, external, report });
        for (const warning of backup.warnings) order.warn(`${backup.id}: ${warning}`);
        backupIds.push(backup.id);
        inARow = 0;
      } catch (error) {
        order.signal.throwIfAborted();
        if (error instanceof HoldfastError && error.code === 'already-adopted') {
          // Somebody else adopts the same ones now.
          foundThere++;
          continue;
        }
        failures.push(error);
        this.#context.logger.error({ err: error, externalId: external.id }, 'a backup could not be adopted');
        order.warn(`The backup of ${external.createdAt} was not adopted: ${messageOf(error)}`);
        if (++inARow === MOST_FAILURES_IN_A_ROW) throw error;
      }
    }
    return { backupIds, failures, foundThere };
  }
}

function outcomeOf(failures: readonly unknown[], wanted: number): Pick<OperationOutcome, 'failure'> {
  const [first] = failures;
  if (first === undefined) return {};
  const message = `${failures.length} of ${wanted} backups could not be adopted; the others are in the repository. Start it again when the reason is gone. The first one: ${messageOf(first)}`;
  const kind = first instanceof HoldfastError ? first.kind : 'internal';
  return { failure: { code: 'adoption-incomplete', message, kind } };
}

function externalOf(service: Service, { id }: Resource): NonNullable<Service['externalSnapshots']> {
  if (service.externalSnapshots !== undefined) return service.externalSnapshots;
  const message = `The resource "${id}" is of the service "${service.name}": Holdfast makes its backups itself, so there are none of another tool to adopt.`;
  throw new HoldfastError('unsupported', 'nothing-to-adopt-from', message, { details: { service: service.name } });
}
