import type { Backup, BackupType } from './backup.ts';
import type { Logger } from './ports/logger.ts';

/** How an attempt at a backup ended; `backup` is absent where it failed. */
export interface BackupEnd {
  type: BackupType;
  backup?: Backup;
}

/** Tells metrics of every backup that ends in this process, whoever asked for it. */
export class BackupEnds {
  readonly #listeners: ((end: BackupEnd) => void)[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  listen(listener: (end: BackupEnd) => void): void {
    this.#listeners.push(listener);
  }

  /** A listener that throws is told to the log: a backup that is complete must not seem to have failed, and be made again. */
  publish(end: BackupEnd): void {
    for (const listener of this.#listeners)
      try {
        listener(end);
      } catch (err) {
        this.#logger.error({ err, backupId: end.backup?.id }, 'who listens to the ends of backups failed');
      }
  }
}
