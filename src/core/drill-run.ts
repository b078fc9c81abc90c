import type { Backup } from './backup.ts';
import type {
  Assertion,
  Drill,
  DrillChoice,
  DrillFault,
  DrillMoment,
  DrillVerdict,
  LogPoint,
  RecoveryPoint,
} from './drill.ts';
import { DrillChecks } from './drill-checks.ts';
import { HoldfastError, isTransient, messageOf, systemErrorCode } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { OperationWorkContext } from './operation-work.ts';
import type { DrillFolder, DrillFolders } from './ports/drill-folders.ts';
import { ResourceLogStore } from './resource-log-store.ts';
import { drillOf } from './service-registry.ts';
import { openChain } from './snapshot-chain.ts';
import { saysDamaged } from './validator.ts';

/** What one drill works with. */
export interface DrillOrder {
  operation: Operation;
  backup: Backup;
  which: DrillChoice;
  /** Absent: the end of the log. */
  moment?: DrillMoment;
  assertions: readonly Assertion[];
  /** Facts of this process, for the evidence. */
  environment: Readonly<Record<string, string>>;
}

const MOST_WARNINGS = 100;
const SPACE_SHORT = 'drill-space-short';

/** One drill: restores into a folder of its own, has the service check, removes everything, and says what was found. */
export class DrillRun {
  readonly #context: ManagerContext;
  readonly #folders: DrillFolders;
  readonly #order: DrillOrder;
  readonly #checks = new DrillChecks();
  readonly #warnings: string[] = [];
  readonly #began = performance.now();
  readonly #createdAt: string;
  #readyAfter: number | undefined;
  #reached: LogPoint | undefined;
  #restoredBytes: number | undefined;
  #software: Readonly<Record<string, string>> = {};

  constructor(context: ManagerContext, folders: DrillFolders, order: DrillOrder) {
    this.#context = context;
    this.#folders = folders;
    this.#order = order;
    this.#createdAt = context.clock.now().toISOString();
  }

  /**
   * @returns the evidence, whatever was found
   * @param mayTryAgain throw a fault that may pass instead of making it evidence
   * @throws the abort's reason, where the drill was cancelled: then nothing was proven and nothing is kept
   */
  async perform(work: OperationWorkContext, mayTryAgain: boolean): Promise<Drill> {
    const newest = await this.#newestBackup();
    let failure: unknown;
    try {
      const folder = await this.#folders.make();
      try {
        await this.#drill(folder, work);
      } finally {
        await this.#remove(folder);
      }
    } catch (error) {
      failure = error;
    }
    work.signal.throwIfAborted();
    if (mayTryAgain && mayPass(failure) && this.#checks.failed().length === 0) throw failure;
    return this.#evidence(failure, newest);
  }

  async #drill(folder: DrillFolder, { signal, report, warn }: OperationWorkContext): Promise<void> {
    const { backup, assertions, moment } = this.#order;
    const { catalogue, repositories, services } = this.#context;
    const service = services.get(backup.service);
    const drill = drillOf(service);
    signal.throwIfAborted();
    const resource = await catalogue.resources.get(backup.resourceId);
    const chain = await openChain(catalogue, repositories.get(backup.repositoryId), backup);
    try {
      const outcome = await drill({
        backup,
        chain: chain.links,
        ...(resource === undefined ? {} : { resource }),
        ...(service.log === undefined ? {} : { log: new ResourceLogStore(this.#context, backup.resourceId) }),
        ...(moment === undefined ? {} : { moment: moment.at }),
        assertions,
        folder: folder.path,
        checks: this.#checks,
        signal,
        report,
        warn: (message) => {
          if (this.#warnings.length < MOST_WARNINGS) this.#warnings.push(message);
          warn(message);
        },
        requireRoom: (bytes) => requireRoom(folder, bytes),
        dataReady: (reached) => {
          this.#readyAfter ??= Math.round(performance.now() - this.#began);
          this.#reached = reached;
        },
      });
      this.#restoredBytes = outcome.restoredBytes;
      this.#software = outcome.software;
    } finally {
      await chain.close();
    }
  }

  /** What was found stays found, though the folder should not go; the next drill tries again. */
  async #remove(folder: DrillFolder): Promise<void> {
    try {
      await folder.remove();
    } catch (error) {
      this.#context.logger.error({ err: error, folder: folder.path }, 'the folder of a drill could not be removed');
      this.#warnings.push(`The folder ${folder.path} could not be removed: ${messageOf(error)}. Remove it by hand.`);
    }
  }

  #evidence(failure: unknown, newest: Backup): Drill {
    const { operation, backup, which, moment, assertions, environment } = this.#order;
    const reached = this.#reached === undefined ? {} : { reached: this.#reached };
    const judgement = this.#judge(failure);
    return {
      id: this.#context.nextId('drill'),
      resourceId: backup.resourceId,
      resourceType: backup.resourceType,
      service: backup.service,
      operationId: operation.id,
      which,
      ...(moment === undefined ? {} : { moment: { ...moment, ...reached } }),
      backup: {
        id: backup.id,
        type: backup.type,
        contentKind: backup.contentKind,
        createdAt: backup.createdAt,
        size: backup.size,
        checksum: backup.checksum,
        repositoryId: backup.repositoryId,
        chainLength: backup.chainLength + 1,
      },
      ...judgement,
      checks: this.#checks.made,
      assertions,
      ...(this.#readyAfter === undefined ? {} : { recoveryTimeMilliseconds: this.#readyAfter }),
      recoveryPoint: this.#recoveryPoint(newest),
      ...(this.#restoredBytes === undefined ? {} : { restoredBytes: this.#restoredBytes }),
      warnings: this.#warnings,
      environment: { ...environment, ...this.#software },
      createdBy: operation.createdBy,
      createdAt: this.#createdAt,
      completedAt: this.#context.clock.now().toISOString(),
    };
  }

  /** To be asked before anything else: a drill may take longer than until the next backup. */
  async #newestBackup(): Promise<Backup> {
    const { backup } = this.#order;
    return (await this.#context.catalogue.backups.latest(backup.resourceId)) ?? backup;
  }

  #recoveryPoint({ id: backupId, createdAt }: Backup): RecoveryPoint {
    // An earlier moment says nothing of the newest one.
    const log = this.#order.moment === undefined ? this.#reached : undefined;
    const newest = Math.max(...[createdAt, log?.at ?? createdAt].map(Date.parse));
    const ageMilliseconds = Math.max(0, Date.parse(this.#createdAt) - newest);
    return { backupId, createdAt, ...(log === undefined ? {} : { log }), ageMilliseconds };
  }

  #judge(failure: unknown): Pick<Drill, 'outcome' | 'fault' | 'error'> {
    const failed = this.#checks.failed();
    const [worst] = failed.toSorted((a, b) => Number(a.kind === 'assertion') - Number(b.kind === 'assertion'));
    // What a check found weighs more than what broke off later.
    if (worst !== undefined) {
      const isAssertion = worst.kind === 'assertion';
      const subject = worst.subject === undefined ? '' : ` (${worst.subject})`;
      const others = failed.length > 1 ? ` ${failed.length - 1} more checks failed.` : '';
      const message = `${worst.description}${subject}: expected ${worst.expected}, found ${worst.found}.${others}`;
      const code = saysDamaged(failure) ? failure.code : `drill-${worst.name}-failed`;
      return bad('failed', isAssertion ? 'assertion' : 'backup', code, message);
    }
    if (failure !== undefined) return this.#judgeError(failure);
    if (this.#readyAfter === undefined || !this.#checks.provesContent()) {
      const message =
        'Nothing that was restored could be compared with what was backed up, so this drill proves nothing. Look whether the backup holds what it should.';
      return bad('failed', 'backup', 'drill-checked-nothing', message);
    }
    return { outcome: 'passed' };
  }

  #judgeError(failure: unknown): Pick<Drill, 'outcome' | 'fault' | 'error'> {
    const message = messageOf(failure);
    const code =
      failure instanceof HoldfastError ? failure.code : (systemErrorCode(failure)?.toLowerCase() ?? 'internal');
    if (saysDamaged(failure)) return bad('failed', 'backup', code, message);
    if (isOfEnvironment(failure)) return bad('impossible', 'environment', code, message);
    this.#context.logger.error({ err: failure, operationId: this.#order.operation.id }, 'a drill broke off');
    return bad('failed', 'unknown', code, message);
  }
}

/** Faults of the machine, of what is installed there and of what the configuration allows: the backup may well be sound. */
function isOfEnvironment(error: unknown): boolean {
  if (error instanceof HoldfastError) return error.kind !== 'internal' && error.kind !== 'cancelled';
  const code = systemErrorCode(error);
  // Node.js's own codes, but for this one, tell of mistakes in a program.
  return code !== undefined && (!code.startsWith('ERR_') || code === 'ERR_WORKER_OUT_OF_MEMORY');
}

/** Disks do not grow by themselves. */
function mayPass(error: unknown): boolean {
  return isTransient(error) && !(error instanceof HoldfastError && error.code === SPACE_SHORT);
}

function bad(outcome: DrillVerdict, fault: DrillFault, code: string, message: string) {
  return { outcome, fault, error: { code, message } };
}

async function requireRoom(folder: DrillFolder, bytes: number): Promise<void> {
  const free = await folder.freeBytes();
  if (free >= bytes) return;
  throw new HoldfastError(
    'unavailable',
    SPACE_SHORT,
    `The drill needs ${bytes} bytes in ${folder.path} and there are ${free}. Free some space there, or let TMPDIR of the service name a larger disk.`,
    { details: { needed: bytes, free } },
  );
}
