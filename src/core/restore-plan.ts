/** What a restore would do, in one shape for all services. Names are for people: paths, databases, tables; the first 1000 of each. */
export interface ServicePlan {
  /** What is not there yet. */
  created: PlannedNames;
  /** What is there and would be overwritten. */
  replaced: PlannedNames;
  /** What is there, is in no backup's place, and would be gone. */
  dropped: PlannedNames;
  /** What is in the backup and would be left out, by choice or because something newer is there. */
  skipped: PlannedNames;
  /** What is in the way: the restore itself would stop there. */
  blocked: PlannedNames;
  /** Bytes that would be read and written. */
  bytes: number;
}

export interface PlannedNames {
  count: number;
  names: readonly string[];
}

export interface RestorePlan extends ServicePlan {
  /** How long it may take; absent where nothing was measured yet. */
  estimatedSeconds?: number;
  /** What the estimate comes from. */
  estimatedFrom?: 'earlier restores' | 'the backup';
}

const MOST_NAMES = 1000;

/** @param count of all, where `names` are but the first */
export function plannedNames(names: readonly string[], count = names.length): PlannedNames {
  return { count, names: names.slice(0, MOST_NAMES) };
}

/** A plan that does nothing, for a service to say what differs. */
export function servicePlan(plan: Partial<ServicePlan> & Pick<ServicePlan, 'bytes'>): ServicePlan {
  const none = plannedNames([]);
  return { created: none, replaced: none, dropped: none, skipped: none, blocked: none, ...plan };
}
