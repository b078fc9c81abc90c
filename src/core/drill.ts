import type { BackupType, ContentKind } from './backup.ts';

/**
 * How a drill ended. `failed`: what was restored is not what was backed up, or an assertion does not hold. `impossible`: this
 * machine could not do it (no room, a tool that is missing), which says nothing of the backup and proves nothing either.
 */
export type DrillVerdict = 'passed' | 'failed' | 'impossible';

/** What is at fault where a drill did not pass. */
export type DrillFault = 'backup' | 'assertion' | 'environment' | 'unknown';

/** `content` compares with what was backed up, `integrity` looks at what was restored alone, `assertion` is the user's own. */
export type DrillCheckKind = 'content' | 'integrity' | 'assertion';

export type DrillCheckOutcome = 'passed' | 'failed' | 'not-applicable';

/** One thing that a drill looked at. */
export interface DrillCheck {
  /** Stable and kebab-case: `row-counts`, `checksum`. */
  name: string;
  kind: DrillCheckKind;
  /** What is checked, in words. */
  description: string;
  /** What it looked at: a database, a path, the text of an assertion. */
  subject?: string;
  outcome: DrillCheckOutcome;
  expected: string;
  found: string;
  /** Single findings, the first ones where there are many. */
  details?: readonly string[];
  durationMilliseconds: number;
}

/** What a user says of the restored data, in the words of the service. */
export type Assertion = Readonly<Record<string, unknown>>;

/** Which backup is restored: the newest completed one, any completed one, one that was named, or the newest complete by a moment. */
export type DrillChoice = 'newest' | 'random' | 'chosen' | 'moment';

/** The evidence of a restore drill, as it is kept. `id` is `drill-` and a ULID. Sizes in bytes. */
export interface Drill {
  id: string;
  resourceId: string;
  resourceType: string;
  service: string;
  operationId: string;
  which: DrillChoice;
  /** Absent: the end of the log, or of the backup where none leads on from it. */
  moment?: DrillMoment & {
    /** How far the log was replayed for it: `at` is its last change by then. Absent where it did not come to that, or the backup is all there was. */
    reached?: LogPoint;
  };
  backup: {
    id: string;
    type: BackupType;
    contentKind: ContentKind;
    createdAt: string;
    size: number;
    checksum: string;
    repositoryId: string;
    /** Snapshots that the restore needed, this backup's own included. */
    chainLength: number;
  };
  outcome: DrillVerdict;
  fault?: DrillFault;
  error?: { code: string; message: string };
  checks: readonly DrillCheck[];
  /** Those of the resource, then those of the schedule or request, as they were given. */
  assertions: readonly Assertion[];
  /** From the beginning of the drill until the data could be used; absent where it did not come to that. */
  recoveryTimeMilliseconds?: number;
  /** What would have been lost, had everything else been lost when the drill began. */
  recoveryPoint: RecoveryPoint;
  restoredBytes?: number;
  warnings: readonly string[];
  /** Names of programs and their versions, the host and its system. */
  environment: Readonly<Record<string, string>>;
  createdBy: string;
  /** When the drill began, and when all was checked and removed. */
  createdAt: string;
  completedAt: string;
}

/** A moment in a resource's log to which a drill restores. */
export interface DrillMoment {
  which: 'random' | 'chosen';
  /** RFC 3339 */
  at: string;
}

export interface RecoveryPoint {
  /** The newest backup when the drill began, and when it was made. */
  backupId: string;
  createdAt: string;
  /** The end of the resource's log, where the drill brought what it restored up to there, and not to an earlier moment. */
  log?: LogPoint;
  /** How old the newer of both was when the drill began: all that was lost is younger. */
  ageMilliseconds: number;
}

/** A place in a resource's log. */
export interface LogPoint {
  /** In the service's words: for PostgreSQL an LSN. */
  position: string;
  /** RFC 3339: of the last change before it. */
  at: string;
}

/** What drills say of a resource. */
export interface DrillStanding {
  resourceId: string;
  /** The newest drill that passed. */
  lastProven?: {
    drillId: string;
    /** When it was proven that the backup restores. */
    at: string;
    backupId: string;
    backupCreatedAt: string;
    recoveryTimeMilliseconds: number;
  };
  /** The newest drill, whatever it found. */
  last?: { drillId: string; at: string; backupId: string; outcome: DrillVerdict };
}
