import type { Drill, DrillStanding } from './drill.ts';
import type { Operation } from './operation.ts';
import type { DrillFilter, Page, PageRequest } from './ports/catalogue.ts';

export interface DrillRequest {
  resourceId: string;
  /** A certain backup; without it, `which` chooses. */
  backupId?: string;
  /** Default: the newest completed one. */
  which?: 'newest' | 'random';
  /**
   * What the log is replayed to, of resources that have one: its end (`newest`, the default), or the state at an RFC 3339 time or at a `random` moment
   * that it covers, from the newest backup that was complete by then. Not together with `which`.
   */
  moment?: string;
  /** Beside those of the resource. */
  assertions?: readonly unknown[];
  createdBy: string;
}

/** Restores into throw-away targets, compared with what was backed up, and the evidence of that. */
export interface DrillManager {
  /**
   * Starts a drill as an operation, which fails where the drill does not pass.
   * @throws HoldfastError `drill-without-backup`, `backup-not-found` (not-found), `backup-of-other-resource` (conflict),
   * `assertions-invalid`, `drill-choice-mixed`, `timestamp-invalid` (invalid), `drill-not-offered`, `drill-moment-not-offered` (unsupported),
   * `moment-not-in-log` (not-found)
   */
  start(request: DrillRequest): Promise<Operation>;
  /** @throws HoldfastError `drill-not-found` (not-found) */
  get(id: string): Promise<Drill>;
  /** Newest first. */
  list(filter: DrillFilter, page: PageRequest): Promise<Page<Drill>>;
  standing(resourceId: string): Promise<DrillStanding>;
  /** Of the resources that exist and were drilled, for metrics. */
  standings(): Promise<readonly DrillStanding[]>;
}
