/** When a hook runs. */
export type HookMoment = 'before-backup' | 'after-backup' | 'before-restore' | 'after-restore';

/** What a hook is told. */
export interface HookEvent {
  when: HookMoment;
  /** Whose backup it is. */
  resourceId: string;
  /** Absent for posted backups, which are no operations. */
  operationId?: string;
  /** The backup that is restored, or that was made. */
  backupId?: string;
  /** Where a restore goes to another resource. */
  targetResourceId?: string;
  /** For the hooks after it: how it ended. */
  outcome?: HookOutcome;
}

export type HookOutcome = 'completed' | 'failed' | 'cancelled';

/** A command of the configuration file. */
export interface Hook {
  /** For a person to read: when it runs and its program. */
  readonly name: string;
  /** What its failure means for what it comes before. What it comes after has ended, and stays as it ended. */
  readonly onFailure: 'fail' | 'warn';
  /**
   * Resolves when the command has ended well. An abort ends it, with all that it started.
   * @throws HoldfastError `hook-failed` (conflict) with the end of what it wrote to standard error, `hook-timed-out` (conflict),
   * `hook-not-started` (internal); the signal's reason
   */
  run(event: HookEvent, signal: AbortSignal): Promise<void>;
}

export interface HookRunner {
  /** What is configured for that moment and resource, in the order of the file. */
  due(when: HookMoment, resourceId: string): readonly Hook[];
}
