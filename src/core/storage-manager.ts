import type { RepositoryOverview, StorageManager } from './application.ts';
import type { Backup } from './backup.ts';
import { adoptSnapshot, reconcileCatalogue } from './catalogue-reconciliation.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation, Progress } from './operation.ts';
import type { OperationWork } from './operation-work.ts';
import type { CopyOpener } from './ports/copy-opener.ts';
import type { KeyProvider } from './ports/key-provider.ts';
import type { KeySlot, RepairOptions, Repository } from './ports/repository.ts';
import type { CheckBudget, CheckFinding, CheckLevel, CheckReport } from './ports/repository-check.ts';
import type { CollectionOptions, CollectionReport, ForgottenSnapshot } from './ports/repository-collection.ts';
import type { RepairReport } from './ports/repository-repair.ts';
import type { StepProgress } from './ports/step-progress.ts';
import { queuedOperation } from './queued-operation.ts';
import type { OpenRepository } from './repository-registry.ts';

const FINDINGS_KEPT = 100;
/** So much room more a prune takes for a while, after a rotation of the key. */
const REWRITTEN_PER_ROUND = 8 * 1024 ** 3;

interface VerifyOptions {
  level: CheckLevel;
  backupIds?: readonly string[];
  budget?: CheckBudget;
  signal?: AbortSignal;
  report?: (progress: Progress) => void;
}

/** The repositories that are open; see `StorageManager` for what each method promises. */
export class RepositoryStorageManager implements StorageManager {
  readonly #context: ManagerContext;
  readonly #copies: CopyOpener;

  constructor(context: ManagerContext, copies: CopyOpener) {
    this.#context = context;
    this.#copies = copies;
  }

  get default(): Repository {
    return this.#context.repositories.default;
  }

  repository(id: string): Repository {
    return this.#context.repositories.get(id);
  }

  async list(): Promise<readonly RepositoryOverview[]> {
    return Promise.all(this.#context.repositories.all().map(({ id, repository }) => overviewOf(id, repository)));
  }

  async get(id: string): Promise<RepositoryOverview> {
    return overviewOf(id, this.repository(id));
  }

  async keys(id: string): Promise<readonly KeySlot[]> {
    return this.repository(id).keys.list();
  }

  async addKey(id: string, provider: KeyProvider, label: string): Promise<KeySlot> {
    return this.repository(id).keys.add(provider, label);
  }

  async startVerify(
    id: string,
    options: { level: CheckLevel; backupIds?: readonly string[]; budget?: CheckBudget; createdBy: string },
  ): Promise<Operation> {
    this.repository(id);
    const { level, backupIds, budget, createdBy } = options;
    await this.#requireBackups(id, backupIds);
    return this.#enqueue(
      'verify',
      {
        repositoryId: id,
        level,
        ...(backupIds === undefined ? {} : { backupIds }),
        ...(budget === undefined ? {} : { budget }),
      },
      createdBy,
    );
  }

  async startPrune(
    id: string,
    options: { allowEmpty?: boolean; rewriteOldKeys?: boolean; createdBy: string },
  ): Promise<Operation> {
    this.repository(id);
    const { allowEmpty = false, rewriteOldKeys = false, createdBy } = options;
    return this.#enqueue('prune', { repositoryId: id, allowEmpty, rewriteOldKeys }, createdBy);
  }

  /** Runs an operation that `startPrune` queued. */
  readonly pruneWork: OperationWork = async (operation, { signal, report }) => {
    const { repositoryId, ...asked } = operation.input as {
      repositoryId: string;
      allowEmpty: boolean;
      rewriteOldKeys?: boolean;
    };
    return { result: { ...(await this.prune(repositoryId, { dryRun: false, ...asked, signal, report })) } };
  };

  async prune(
    id: string,
    options: Pick<CollectionOptions, 'dryRun' | 'allowEmpty' | 'repackBelow' | 'signal'> & {
      rewriteOldKeys?: boolean;
      report?: (progress: Progress) => void;
    },
  ): Promise<CollectionReport> {
    const { report, rewriteOldKeys: all = false, ...rest } = options;
    const rewritten = all || !rest.dryRun ? { rewriteOldKeys: { bytesPerRound: REWRITTEN_PER_ROUND, all } } : {};
    const collected = await this.repository(id).collect({
      ...rest,
      ...rewritten,
      ...(report === undefined ? {} : { report: (step) => report(progressOf(step)) }),
    });
    if (collected.missingChunks > 0) {
      const message = `A collection of the repository "${id}" met ${collected.missingChunks} chunks that backups need and no pack holds. Run \`holdfast verify\` to see which backups are hit.`;
      await this.#context.notifier.notify({ type: 'damage-found', subject: id, message, details: {} });
    }
    return collected;
  }

  async startRepair(id: string, options: { dryRun: boolean; createdBy: string }): Promise<Operation> {
    this.repository(id);
    return this.#enqueue('repair', { repositoryId: id, dryRun: options.dryRun }, options.createdBy);
  }

  /** Runs an operation that `startRepair` queued. What stays incomplete counts as failure. */
  readonly repairWork: OperationWork = async (operation, { signal, report }) => {
    const { repositoryId, dryRun } = operation.input as { repositoryId: string; dryRun: boolean };
    const { findings, steps, incomplete, ...rest } = await this.repair(repositoryId, { dryRun, signal, report });
    const result = {
      ...rest,
      findingCount: findings.length,
      findings: findings.slice(0, FINDINGS_KEPT),
      steps: steps.slice(0, FINDINGS_KEPT),
      incomplete: incomplete.map(({ missing: _missing, ...each }) => each).slice(0, FINDINGS_KEPT),
    };
    const [first] = incomplete;
    if (first === undefined) return { result };
    const message = `${incomplete.length} backups miss something after the repair. The first: ${first.snapshotId}, ${first.missingBytes} bytes.`;
    return { result, failure: { code: 'backups-incomplete', message, kind: 'damaged' } };
  };

  async repair(
    id: string,
    options: Pick<RepairOptions, 'dryRun' | 'replicas' | 'signal'> & { report?: (progress: Progress) => void },
  ): Promise<RepairReport> {
    const { report, ...rest } = options;
    const donors = await this.#openDonors();
    const repaired = await this.repository(id)
      .repair({
        ...rest,
        donors: donors.map(({ repository }) => repository),
        ...(report === undefined ? {} : { report: (step) => report(progressOf(step)) }),
      })
      .finally(() => Promise.all(donors.map((donor) => donor.close())));
    if (options.dryRun) return repaired;
    await this.reconcile(id);
    const { backups } = this.#context.catalogue;
    const hit = new Set(repaired.incomplete.map(({ snapshotId }) => snapshotId));
    for (const found of repaired.findings)
      for (const backupId of found.snapshotIds ?? []) {
        const backup = await backups.get(backupId);
        const status = hit.has(backupId) ? 'damaged' : 'completed';
        if (backup !== undefined && backup.status !== status) await backups.put({ ...backup, status });
      }
    return repaired;
  }

  /** A copy that cannot be opened now is of no help, and no reason to repair less. */
  async #openDonors(): Promise<OpenRepository[]> {
    const donors: OpenRepository[] = [];
    for (const copy of this.#context.configuration.copies)
      try {
        const open = await this.#copies.open(copy);
        if (open === undefined) this.#context.logger.warn({ copyId: copy.id }, 'a copy is not there to fetch from');
        else donors.push(open);
      } catch (error) {
        this.#context.logger.warn({ err: error, copyId: copy.id }, 'a copy cannot be opened to fetch from');
      }
    return donors;
  }

  async trash(id: string): Promise<readonly ForgottenSnapshot[]> {
    return this.repository(id).listTrash();
  }

  async undelete(id: string, backupId: string): Promise<Backup> {
    const repository = this.repository(id);
    const forgotten = (await repository.listTrash()).find((entry) => entry.id === backupId);
    const parentId = forgotten?.backup.parentId;
    if (parentId !== undefined && (await this.#context.catalogue.backups.get(parentId)) === undefined) {
      const message = `${backupId} builds on ${parentId}, which is forgotten too. Bring that one back first.`;
      throw new HoldfastError('conflict', 'base-forgotten', message, { details: { backupId, parentId } });
    }
    await repository.undeleteSnapshot(backupId);
    return adoptSnapshot(this.#context, id, backupId);
  }

  /** Runs an operation that `startVerify` queued; damage counts as failure, so that nobody takes it for good news. */
  readonly work: OperationWork = async (operation, { signal, report }) => {
    const input = operation.input as {
      repositoryId: string;
      level: CheckLevel;
      backupIds?: readonly string[];
      budget?: CheckBudget;
    };
    const { findings, ...checked } = await this.verify(input.repositoryId, { ...input, signal, report });
    const result = { ...checked, findingCount: findings.length, findings: findings.slice(0, FINDINGS_KEPT) };
    const damage = findings.filter(isDamage);
    const [first] = damage;
    if (first === undefined) return { result };
    const message = `The check found ${damage.length} ${damage.length === 1 ? 'damage' : 'damages'}. The first: ${first.message} (${first.object})`;
    return { result, failure: { code: 'damage-found', message, kind: 'damaged' } };
  };

  async verify(id: string, options: VerifyOptions): Promise<CheckReport> {
    const { level, backupIds, budget, signal, report } = options;
    await this.#requireBackups(id, backupIds);
    const checked = await this.repository(id).check({
      level,
      ...(backupIds === undefined ? {} : { snapshotIds: backupIds }),
      ...(budget === undefined ? {} : { budget }),
      ...(signal === undefined ? {} : { signal }),
      ...(report === undefined ? {} : { report: (step) => report(progressOf(step)) }),
    });
    await this.#recordDamage(id, checked.findings.filter(isDamage));
    return checked;
  }

  async compare(id: string): Promise<{ unknown: number; gone: number }> {
    const known = await this.#context.catalogue.backups.idsOf(id);
    const present = await this.#context.repositories.get(id).listSnapshots();
    const unknown = present.filter((snapshot) => !known.has(snapshot)).length;
    return { unknown, gone: known.size - (present.length - unknown) };
  }

  async reconcile(
    id: string,
    report?: (progress: Progress) => void,
  ): Promise<{ added: number; removed: number; unreadable: readonly string[] }> {
    return reconcileCatalogue(this.#context, id, report);
  }

  /** Marks what is hit, and all that builds on it, so that nobody relies on it and no new backup does either. */
  async #recordDamage(repositoryId: string, damage: readonly CheckFinding[]): Promise<void> {
    if (damage.length === 0) return;
    const { backups } = this.#context.catalogue;
    const hit = new Set(damage.flatMap(({ snapshotIds }) => snapshotIds ?? []));
    for (const id of [...hit]) for (const dependant of await backups.dependants(id)) hit.add(dependant.id);
    for (const id of hit) {
      const backup = await backups.get(id);
      if (backup !== undefined && backup.status !== 'damaged') await backups.put({ ...backup, status: 'damaged' });
    }
    await this.#context.notifier.notify({
      type: 'damage-found',
      subject: repositoryId,
      message: `A check of the repository "${repositoryId}" found ${damage.length} damages; ${hit.size} backups are hit. The first: ${damage[0]?.message}`,
      details: { backupIds: [...hit].slice(0, FINDINGS_KEPT), findings: damage.slice(0, 20) },
    });
  }

  async #enqueue(
    kind: 'verify' | 'prune' | 'repair',
    input: Readonly<Record<string, unknown>>,
    createdBy: string,
  ): Promise<Operation> {
    const operation = queuedOperation(this.#context, {
      kind,
      input,
      createdBy,
    });
    await this.#context.queue.enqueue(operation);
    return operation;
  }

  async #requireBackups(repositoryId: string, ids: readonly string[] | undefined): Promise<void> {
    for (const id of ids ?? []) {
      const backup = await this.#context.catalogue.backups.get(id);
      if (backup?.repositoryId === repositoryId) continue;
      const message = `There is no backup "${id}" in the repository "${repositoryId}".`;
      throw new HoldfastError('not-found', 'backup-not-found', message, { details: { backupId: id } });
    }
  }
}

/** A step's progress as operations show it. */
export function progressOf(step: StepProgress): Progress {
  const [done, total] =
    step.totalBytes === undefined ? [step.done, step.total] : [step.doneBytes ?? 0, step.totalBytes];
  return {
    percent: total === 0 ? 0 : Math.floor((100 * done) / total),
    phase: step.phase,
    ...(step.doneBytes === undefined ? {} : { doneBytes: step.doneBytes }),
    ...(step.totalBytes === undefined ? {} : { totalBytes: step.totalBytes }),
  };
}

async function overviewOf(id: string, repository: Repository): Promise<RepositoryOverview> {
  return { id, location: repository.location, ...(await repository.statistics()) };
}

function isDamage({ severity }: CheckFinding): boolean {
  return severity === 'damage';
}
