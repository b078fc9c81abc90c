import type { Backup } from './backup.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { RestorePlan, ServicePlan } from './restore-plan.ts';

/** Restores that are looked at. */
const MOST_LOOKED_AT = 50;
/** Shorter ones say little about speed, and nothing takes less. */
const LEAST_SECONDS = 1;

/**
 * How long a restore may take: by the median speed of earlier restores of the resource, or of any other of its service; else by the
 * speed of the backup itself, which reads and packs about as many bytes.
 */
export async function withEstimate(context: ManagerContext, backup: Backup, plan: ServicePlan): Promise<RestorePlan> {
  const speeds = await measuredSpeeds(context, backup);
  const ofBackup = (1000 * backup.statistics.readBytes) / Math.max(1, backup.statistics.durationMilliseconds);
  const speed = median(speeds) ?? (ofBackup > 0 ? ofBackup : undefined);
  if (speed === undefined) return plan;
  return {
    ...plan,
    estimatedSeconds: Math.max(LEAST_SECONDS, Math.ceil(plan.bytes / speed)),
    estimatedFrom: speeds.length > 0 ? 'earlier restores' : 'the backup',
  };
}

/** bytes a second */
async function measuredSpeeds({ catalogue }: ManagerContext, backup: Backup): Promise<number[]> {
  const { items } = await catalogue.operations.page(
    { kind: 'restore', status: 'completed' },
    { limit: MOST_LOOKED_AT },
  );
  const measured = items.flatMap((operation) => measurementOf(operation, backup.service));
  const own = measured.filter(({ resourceId }) => resourceId === backup.resourceId);
  return (own.length > 0 ? own : measured).map(({ speed }) => speed);
}

function measurementOf(
  { result = {}, resourceId, startedAt, completedAt }: Operation,
  service: string,
): { resourceId: string | undefined; speed: number }[] {
  const { restoredBytes } = result;
  if (result.service !== service || typeof restoredBytes !== 'number' || restoredBytes === 0) return [];
  const milliseconds = Date.parse(completedAt ?? '') - Date.parse(startedAt ?? '');
  if (!(milliseconds > 0)) return [];
  return [{ resourceId, speed: (1000 * restoredBytes) / milliseconds }];
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
