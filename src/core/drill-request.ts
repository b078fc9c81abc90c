import type { Drill, DrillStanding } from './drill.ts';
import type { Operation } from './operation.ts';
import type { DrillFilter, Page, PageRequest } from './ports/catalogue.ts';

export interface DrillRequest {
  resourceId: string;
  /** A certain backup; without it, `which` chooses. */
  backupId?: string;
  /** Default: the newest completed one. */
  which?: 'newest' | 'random';
  /** Beside those of the resource. */
  assertions?: readonly unknown[];
  createdBy: string;
}

/** Restores into throw-away targets, compared with what was backed up, and the evidence of that. */
export interface DrillManager {
  /**
   * Starts a drill as an operation, which fails where the drill does not pass.
   * @throws HoldfastError `drill-without-backup`, `backup-not-found` (not-found), `backup-of-other-resource` (conflict),
   * `assertions-invalid` (invalid), `drill-not-offered` (unsupported)
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
