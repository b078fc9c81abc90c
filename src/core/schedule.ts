import type { BackupType } from './backup.ts';

/** Backups of a resource that start by themselves. */
export interface Schedule {
  id: string;
  resourceId: string;
  /** Five or six cron fields, or a nickname such as `@daily`. */
  cron: string;
  /** IANA zone in which `cron` is read; default `UTC`. */
  timeZone: string;
  type: BackupType;
  enabled: boolean;
  createdAt: string;
  updatedAt: string;
  lastRunAt?: string;
  lastOperationId?: string;
  /** When it runs next; absent while disabled. */
  nextRunAt?: string;
}
