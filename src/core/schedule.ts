import type { BackupType } from './backup.ts';
import type { Assertion } from './drill.ts';

/** Backups or restore drills of a resource that start by themselves. */
export interface Schedule {
  id: string;
  resourceId: string;
  /** Five or six cron fields, or a nickname such as `@daily`. */
  cron: string;
  /** IANA zone in which `cron` is read; default `UTC`. */
  timeZone: string;
  /** Absent: backups. */
  kind?: 'backup' | 'drill';
  /** Of backups. */
  type?: BackupType;
  /** Of drills: which backup is restored. */
  which?: 'newest' | 'random';
  /** Of drills of resources with a log: what that is replayed to, its end or another moment each time. */
  moment?: 'newest' | 'random';
  /** Of drills: what must hold of the restored data, beside what the resource says. */
  assertions?: readonly Assertion[];
  enabled: boolean;
  createdAt: string;
  updatedAt: string;
  lastRunAt?: string;
  lastOperationId?: string;
  /** When it runs next; absent while disabled. */
  nextRunAt?: string;
}
