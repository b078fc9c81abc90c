import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import { interrupted, MOST_ATTEMPTS, REPEATABLE } from './operation-runner.ts';

/**
 * Takes up what processes left running that are gone: what may be done again goes back into the queue, the rest is recorded
 * as failed, with what to do.
 *
 * @param isAlive whether the process behind an owner's name still runs
 */
export async function adoptOrphans(context: ManagerContext, isAlive: (owner: string) => boolean): Promise<void> {
  const { operations } = context.catalogue;
  const owners = await operations.owners();
  const alive = [context.owner, ...owners.filter(isAlive)];
  for (const operation of await operations.orphaned(alive)) {
    const again = REPEATABLE.has(operation.kind) && operation.attempts < MOST_ATTEMPTS;
    const facts = { operationId: operation.id, kind: operation.kind, attempts: operation.attempts };
    if (again) {
      await operations.update(operation.id, { status: 'queued', progress: { percent: 0 } });
      context.logger.warn(facts, 'an operation was cut off by the end of its process: it is queued again');
    } else {
      const completedAt = context.clock.now().toISOString();
      await operations.update(operation.id, { status: 'failed', error: interrupted(operation), completedAt });
      context.logger.warn(facts, 'an operation was cut off by the end of its process: it counts as failed');
      if (operation.kind === 'drill') tellOfDrill(context, operation);
    }
  }
}

/** A drill that takes its process along each time leaves no evidence, and must not go unnoticed for that. */
function tellOfDrill({ notifier }: ManagerContext, operation: Operation): void {
  const { id, resourceId = '', backupId = '' } = operation;
  void notifier.notify({
    type: 'drill-failed',
    subject: resourceId,
    message: `The restore drill of ${backupId} of ${resourceId} did not pass: ${interrupted(operation).message}`,
    details: { operationId: id, backupId },
  });
}
