import type { Backup, BackupType } from './backup.ts';

/** How an attempt at a backup ended; `backup` is absent where it failed. */
export interface BackupEnd {
  type: BackupType;
  backup?: Backup;
}

/** Tells metrics of every backup that ends in this process, whoever asked for it. */
export class BackupEnds {
  readonly #listeners: ((end: BackupEnd) => void)[] = [];

  listen(listener: (end: BackupEnd) => void): void {
    this.#listeners.push(listener);
  }

  publish(end: BackupEnd): void {
    for (const listener of this.#listeners) listener(end);
  }
}
