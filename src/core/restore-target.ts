import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Resource } from './resource.ts';

/**
 * The resource that a restore goes into, where one is named. For posted content the name is a label of the operation and no more,
 * because whoever posts data also puts it back.
 *
 * @throws HoldfastError `restore-target-not-found` (not-found), `restore-target-of-other-service` (conflict),
 * `restore-target-unsupported` (unsupported)
 */
export async function targetResourceOf(
  { catalogue, services }: ManagerContext,
  backup: Backup,
  id: string | undefined,
): Promise<Resource | undefined> {
  const service = services.get(backup.service);
  if (id === undefined || service.source === 'posted') return undefined;
  const details = { targetResourceId: id, backupId: backup.id };
  const resource = await catalogue.resources.get(id);
  if (resource === undefined) {
    const message = `There is no resource "${id}" to restore into. Set it up first with PUT /resources/${id}, as a resource of the service "${backup.service}".`;
    throw new HoldfastError('not-found', 'restore-target-not-found', message, { details });
  }
  if (resource.service !== backup.service) {
    const message = `"${id}" is a resource of the service "${resource.service}", and ${backup.id} is a backup of "${backup.service}": it cannot be restored there. Name a resource of the same service.`;
    throw new HoldfastError('conflict', 'restore-target-of-other-service', message, { details });
  }
  if (service.restoresIntoResources === true) return resource;
  const message = `The service "${service.name}" does not restore into other resources. Say by its own options where to restore to.`;
  throw new HoldfastError('unsupported', 'restore-target-unsupported', message, { details });
}
