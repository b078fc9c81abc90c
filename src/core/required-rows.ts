import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Resource } from './resource.ts';

/** Kept variants are no backups. @throws HoldfastError `backup-not-found` (not-found) */
export async function requireBackup(context: ManagerContext, id: string): Promise<Backup> {
  const backup = await context.catalogue.backups.get(id);
  if (backup !== undefined && backup.variant === undefined && backup.sidecar === undefined) return backup;
  throw backupNotFound(id);
}

export function backupNotFound(id: string): HoldfastError {
  const message = `There is no backup "${id}". It may have expired or been deleted; list what there is with GET /backups or "holdfast list".`;
  return new HoldfastError('not-found', 'backup-not-found', message, { details: { backupId: id } });
}

/** @throws HoldfastError `resource-not-found` (not-found) */
export async function requireResource(context: ManagerContext, id: string): Promise<Resource> {
  const resource = await context.catalogue.resources.get(id);
  if (resource !== undefined) return resource;
  const message = `There is no resource "${id}". Set it up with PUT /resources/${id} or "holdfast resource add", or post data to it with POST /backups.`;
  throw new HoldfastError('not-found', 'resource-not-found', message, { details: { resourceId: id } });
}
