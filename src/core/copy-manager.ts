import type { CopyConfiguration } from './configuration.ts';
import type { CopyManager, CopyOverview, CopySync, SyncOptions } from './copy-overview.ts';
import { HoldfastError, messageOf } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { OperationWork } from './operation-work.ts';
import type { CopyOpener } from './ports/copy-opener.ts';
import type { CopyReport } from './ports/repository-copy.ts';
import { queuedOperation } from './queued-operation.ts';
import type { OpenRepository } from './repository-registry.ts';
import { progressOf } from './storage-manager.ts';

/** Each sync reads so much of a copy's packs and compares: a copy that nobody reads is a hope. */
const VERIFIED_FRACTION = 1 / 30;
const FAILURES_KEPT = 100;

/** See `CopyManager` for what each method promises. */
export class RepositoryCopyManager implements CopyManager {
  readonly #context: ManagerContext;
  readonly #opener: CopyOpener;

  constructor(context: ManagerContext, opener: CopyOpener) {
    this.#context = context;
    this.#opener = opener;
  }

  async list(): Promise<readonly CopyOverview[]> {
    return Promise.all(this.#context.configuration.copies.map((copy) => this.#overview(copy)));
  }

  async init(id: string): Promise<void> {
    await this.#opener.make(this.#configured(id), this.#context.repositories.default);
  }

  async startSync(id: string, options: { allowForgetMost?: boolean; createdBy: string }): Promise<Operation> {
    this.#configured(id);
    const operation = queuedOperation(this.#context, {
      kind: 'copy',
      input: { copyId: id, allowForgetMost: options.allowForgetMost === true },
      createdBy: options.createdBy,
    });
    await this.#context.queue.enqueue(operation);
    return operation;
  }

  /** Runs an operation that `startSync` queued. What could not be copied counts as failure. */
  readonly work: OperationWork = async (operation, { signal, report }) => {
    const { copyId, allowForgetMost } = operation.input as { copyId: string; allowForgetMost: boolean };
    let synced: CopySync;
    try {
      synced = await this.sync(copyId, { allowForgetMost, signal, report });
    } catch (error) {
      if (!signal.aborted) await this.#notify(copyId, messageOf(error));
      throw error;
    }
    const { copied, forgotten, failed, ...rest } = synced;
    const result = {
      ...rest,
      copied: copied.length,
      forgotten: forgotten.length,
      failedCount: failed.length,
      failed: failed.slice(0, FAILURES_KEPT),
    };
    const [first] = failed;
    if (first === undefined) return { result };
    const message = `${failed.length} snapshots could not be copied. The first: ${first.snapshotId}: ${first.message}`;
    await this.#notify(copyId, message);
    return { result, failure: { code: 'copy-incomplete', message, kind: 'damaged' } };
  };

  async sync(id: string, options: SyncOptions): Promise<CopySync> {
    const configured = this.#configured(id);
    const { backupIds, allowForgetMost = false, dryRun = false, signal, report } = options;
    const { keepForgottenDays: trashDays } = configured;
    return this.#with(configured, async ({ repository }) => {
      const copied = await repository.copyFrom(this.#context.repositories.default, {
        dryRun,
        ...(backupIds === undefined ? {} : { snapshotIds: backupIds }),
        ...(trashDays === undefined ? {} : { forgetMissing: { trashDays, allowMost: allowForgetMost } }),
        ...(signal === undefined ? {} : { signal }),
        ...(report === undefined ? {} : { report: (step) => report(progressOf(step)) }),
      });
      const told = { ...(await this.#told(copied)), copyId: id, location: repository.location };
      if (dryRun) return told;
      const abortable = signal === undefined ? {} : { signal };
      const { verification, findings } = await repository.check({
        level: 3,
        budget: { maxFraction: VERIFIED_FRACTION },
        ...abortable,
      });
      const damage = findings.filter(({ severity }) => severity === 'damage');
      if (damage.length > 0) await this.#notifyDamage(id, damage.length, damage[0]?.message ?? '');
      if (damage.length === 0 && backupIds === undefined) await repository.collect({ dryRun: false, ...abortable });
      return { ...told, ...(verification === undefined ? {} : { verification }) };
    });
  }

  /** What is kept beside backups is copied like them, and would make their number look like another one. */
  async #told({ copied, present, forgottenKept, ...report }: CopyReport) {
    const kept = await this.#kept();
    const isBackup = (id: string): boolean => !kept.has(id);
    const backups = { copied: copied.filter(isBackup), present: present.filter(isBackup).length };
    return {
      ...report,
      ...backups,
      kept: {
        copied: copied.length - backups.copied.length,
        present: present.length - backups.present,
        forgotten: forgottenKept.length,
      },
    };
  }

  #kept(): Promise<ReadonlySet<string>> {
    return this.#context.catalogue.backups.keptIdsOf(this.#context.repositories.defaultId);
  }

  async #overview(copy: CopyConfiguration): Promise<CopyOverview> {
    const described = { id: copy.id, location: locationOf(copy) };
    try {
      return await this.#with(copy, async ({ repository }) => {
        const kept = await this.#kept();
        const isBackup = (id: string): boolean => !kept.has(id);
        const here = new Set((await repository.listSnapshots()).filter(isBackup));
        const there = (await this.#context.repositories.default.listSnapshots()).filter(isBackup);
        const { totalBytes: bytes } = await repository.statistics();
        const behind = there.filter((id) => !here.has(id)).length;
        return { ...described, state: 'reachable', backups: here.size, behind, bytes };
      });
    } catch (error) {
      const isMissing = error instanceof HoldfastError && error.code === 'copy-missing';
      return { ...described, state: isMissing ? 'missing' : 'unreachable', problem: messageOf(error) };
    }
  }

  async #with<Result>(copy: CopyConfiguration, work: (open: OpenRepository) => Promise<Result>): Promise<Result> {
    const open = await this.#opener.open(copy);
    if (open === undefined) {
      const message = `There is no repository at ${locationOf(copy)}. If its disk is missing, mount it; if the copy "${copy.id}" is new, make it with \`holdfast copy init ${copy.id}\`.`;
      throw new HoldfastError('not-found', 'copy-missing', message, { details: { copyId: copy.id } });
    }
    try {
      return await work(open);
    } finally {
      await open.close();
    }
  }

  #configured(id: string): CopyConfiguration {
    const { copies } = this.#context.configuration;
    const found = copies.find((copy) => copy.id === id);
    if (found !== undefined) return found;
    const known = copies.length === 0 ? 'none' : copies.map((copy) => copy.id).join(', ');
    throw new HoldfastError(
      'not-found',
      'copy-not-configured',
      `There is no copy "${id}" in the configuration. Configured are: ${known}. Add it under "copies" in holdfast.yaml.`,
      { details: { copyId: id } },
    );
  }

  async #notify(id: string, message: string): Promise<void> {
    await this.#context.notifier.notify({
      type: 'copy-failed',
      subject: id,
      message: `The copy "${id}" is not complete: ${message}`,
      details: {},
    });
  }

  async #notifyDamage(id: string, count: number, first: string): Promise<void> {
    const message = `A look at the copy "${id}" found ${count} damages. The first: ${first}`;
    await this.#context.notifier.notify({ type: 'damage-found', subject: id, message, details: {} });
  }
}

function locationOf({ storage }: CopyConfiguration): string {
  const { folder, bucket, prefix } = storage.options;
  if (typeof bucket === 'string') return `s3://${bucket}${typeof prefix === 'string' ? `/${prefix}` : ''}`;
  return typeof folder === 'string' ? folder : storage.kind;
}
