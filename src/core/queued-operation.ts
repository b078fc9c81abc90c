import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';

/** An operation that nobody works on yet. Restores have ids of their own kind. */
export function queuedOperation(
  context: Pick<ManagerContext, 'nextId' | 'clock'>,
  order: Pick<Operation, 'kind' | 'input' | 'createdBy'> & Pick<Partial<Operation>, 'resourceId' | 'backupId'>,
): Operation {
  return {
    ...order,
    id: context.nextId(order.kind === 'restore' ? 'restore' : 'operation'),
    status: 'queued',
    progress: { percent: 0 },
    warnings: [],
    attempts: 0,
    createdAt: context.clock.now().toISOString(),
  };
}
