import { messageOf } from './errors.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { Progress } from './operation.ts';
import type { Hook, HookEvent, HookOutcome, HookRunner } from './ports/hook-runner.ts';
import type { Logger } from './ports/logger.ts';
import type { Notifier } from './ports/notifier.ts';
import type { ResourceTurns } from './ports/resource-turns.ts';

/** A backup or restore that hooks may surround. */
export interface HookedDeed {
  kind: 'backup' | 'restore';
  /** Whose hooks run: the resource that is backed up or restored into. */
  hooksOf: string;
  event: Omit<HookEvent, 'when' | 'outcome'>;
  signal: AbortSignal;
  report(progress: Progress): void;
  warn(message: string): void;
}

/** How a deed that did not throw ended. */
export interface DeedEnd {
  outcome: HookOutcome;
  backupId?: string;
}

/**
 * Runs the hooks of the configuration around backups and restores. While one of a resource has hooks, no other that has hooks
 * begins, in whatever process: what the first one's hook stopped, the second one's must not start again too early.
 */
export class HookedWork {
  readonly #runner: HookRunner | undefined;
  readonly #notifier: Notifier;
  readonly #logger: Logger;
  readonly #turns = new KeyedLock();
  readonly #processes: ResourceTurns | undefined;

  /** @param parts without `turns`, this process is the only one */
  constructor(parts: { hooks?: HookRunner; turns?: ResourceTurns; notifier: Notifier; logger: Logger }) {
    const { hooks, turns, notifier, logger } = parts;
    this.#runner = hooks;
    this.#processes = turns;
    this.#notifier = notifier;
    this.#logger = logger;
  }

  /**
   * The hooks before it, the deed, the hooks after it. Those after it run also where the deed or a hook before it failed or was
   * cancelled, and are not cancelled themselves. `warnings`: of hooks before it that failed and may.
   *
   * @throws what the deed throws, and what a hook before it throws whose failure counts
   */
  async around<Result>(
    deed: HookedDeed,
    work: (warnings: readonly string[]) => Promise<Result>,
    endOf: (result: Result) => DeedEnd,
  ): Promise<Result> {
    const before = this.#runner?.due(`before-${deed.kind}`, deed.hooksOf) ?? [];
    const after = this.#runner?.due(`after-${deed.kind}`, deed.hooksOf) ?? [];
    if (before.length + after.length === 0) return work([]);
    return this.#turns.run(
      deed.hooksOf,
      async () => {
        const onWait = () => deed.report({ percent: 0, phase: 'waiting for another process' });
        const endTurn = await this.#processes?.take(deed.hooksOf, deed.signal, onWait);
        try {
          return await this.#surround(deed, { before, after }, work, endOf);
        } finally {
          endTurn?.();
        }
      },
      deed.signal,
    );
  }

  async #surround<Result>(
    deed: HookedDeed,
    { before, after }: { before: readonly Hook[]; after: readonly Hook[] },
    work: (warnings: readonly string[]) => Promise<Result>,
    endOf: (result: Result) => DeedEnd,
  ): Promise<Result> {
    let end: DeedEnd = { outcome: 'failed' };
    try {
      const result = await work(await this.#runBefore(before, deed));
      end = endOf(result);
      return result;
    } catch (error) {
      if (deed.signal.aborted) end = { outcome: 'cancelled' };
      throw error;
    } finally {
      await this.#runAfter(after, deed, end);
    }
  }

  async #runBefore(hooks: readonly Hook[], deed: HookedDeed): Promise<readonly string[]> {
    const warnings: string[] = [];
    for (const hook of hooks) {
      deed.signal.throwIfAborted();
      deed.report({ percent: 0, phase: 'running hooks', current: hook.name });
      try {
        await this.#run(hook, { ...deed.event, when: `before-${deed.kind}` }, deed.signal);
      } catch (error) {
        if (deed.signal.aborted || hook.onFailure === 'fail') throw error;
        this.#tell(hook, deed, error);
        warnings.push(messageOf(error));
      }
    }
    return warnings;
  }

  /** Nothing is taken back here: what is complete stays so, and the failure of a hook must hide no other. */
  async #runAfter(hooks: readonly Hook[], deed: HookedDeed, end: DeedEnd): Promise<void> {
    const unlimited = new AbortController().signal;
    for (const hook of hooks) {
      try {
        await this.#run(hook, { ...deed.event, ...end, when: `after-${deed.kind}` }, unlimited);
      } catch (error) {
        this.#tell(hook, deed, error);
        deed.warn(messageOf(error));
      }
    }
  }

  async #run(hook: Hook, event: HookEvent, signal: AbortSignal): Promise<void> {
    const begun = performance.now();
    await hook.run(event, signal);
    const durationMilliseconds = Math.round(performance.now() - begun);
    this.#logger.info({ hook: hook.name, ...event, durationMilliseconds }, 'a hook ran');
  }

  #tell(hook: Hook, { event }: HookedDeed, error: unknown): void {
    void this.#notifier.notify({
      type: 'hook-failed',
      subject: event.resourceId,
      message: messageOf(error),
      details: { hook: hook.name, ...event },
    });
  }
}
