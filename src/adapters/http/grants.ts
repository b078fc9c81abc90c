import type { Principal } from '../../core/access.ts';
import type { Application } from '../../core/application.ts';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError, unlessNotFound } from '../../core/errors.ts';
import type { Grant } from '../../core/grant.ts';
import type { Operation } from '../../core/operation.ts';
import type { Resource } from '../../core/resource.ts';
import { coverResource } from '../../core/resource-pattern.ts';
import { includesRole } from '../../core/role-scope.ts';
import type { Schedule } from '../../core/schedule.ts';

/** Whether a principal's grants cover a resource: no grants mean all, `shop-*` means every id that begins with `shop-`. */
export function mayUse(principal: Principal, resourceId: string): boolean {
  return principal.resources === undefined || coverResource(principal.resources, resourceId);
}

/** @throws HoldfastError `resource-not-granted` (denied) where something would be made for a resource outside the grants */
export function requireGrant(principal: Principal, resourceId: string): void {
  if (mayUse(principal, resourceId)) return;
  throw new HoldfastError(
    'denied',
    'resource-not-granted',
    `The credentials of ${principal.name} are confined to some resources and ${resourceId} is not among them. Use other credentials or another resource.`,
    { details: { resourceId } },
  );
}

/**
 * For routes that give the data of any backup as it is: whoever may download less than that must not get around it here.
 * @throws HoldfastError `content-not-granted` (denied)
 */
export function requireContentGrant({ name, grants }: Principal, resourceId: string): void {
  const isWhole = (grant: Grant) =>
    grant.variants.includes('raw') &&
    grant.latestOnly !== true &&
    grant.reasonFor?.includes('raw') !== true &&
    grant.maxAgeDays === undefined &&
    Object.values(grant.limits ?? {}).every((limit) => limit === undefined) &&
    coverResource(grant.resources, resourceId);
  if (grants === undefined || grants.some(isWhole)) return;
  throw new HoldfastError(
    'denied',
    'content-not-granted',
    `What ${name} may have of ${resourceId} is limited, and this reads any backup as it is. GET /download gives what is granted.`,
    { details: { resourceId } },
  );
}

/**
 * What assertions find in a backup becomes evidence that their author reads: an answer to any question about its data.
 * @throws HoldfastError `content-not-granted` (denied)
 */
export function requireAssertionGrant(
  principal: Principal,
  resourceId: string,
  assertions: readonly unknown[] | undefined,
): void {
  if (assertions !== undefined && assertions.length > 0) requireContentGrant(principal, resourceId);
}

/** @throws HoldfastError `credentials-confined` (denied) for acts that reach past single resources */
export function requireUnconfined(principal: Principal, act: string): void {
  if (principal.resources === undefined) return;
  throw new HoldfastError(
    'denied',
    'credentials-confined',
    `The credentials of ${principal.name} are confined to some resources, and ${act} reaches past these. Use credentials that are not confined.`,
  );
}

/** The backup, where it exists and the principal may know of it. @throws HoldfastError `backup-not-found` */
export async function visibleBackup(application: Application, principal: Principal, id: string): Promise<Backup> {
  const backup = await unlessNotFound(application.backups.get(id));
  if (backup !== undefined && mayUse(principal, backup.resourceId)) return backup;
  throw notFound('backup', id, 'GET /backups lists those that exist');
}

export async function visibleResource(application: Application, principal: Principal, id: string): Promise<Resource> {
  const resource = await existingResource(application, principal, id);
  if (resource !== undefined) return resource;
  throw notFound('resource', id, 'GET /resources lists those that exist');
}

/** The resource, or undefined where there is none or the principal may not know of it. */
export async function existingResource(
  application: Application,
  principal: Principal,
  id: string,
): Promise<Resource | undefined> {
  if (!mayUse(principal, id)) return undefined;
  return unlessNotFound(application.resources.get(id));
}

export async function visibleOperation(application: Application, principal: Principal, id: string): Promise<Operation> {
  const operation = await unlessNotFound(application.operations.get(id));
  if (operation !== undefined && mayKnowOf(principal, operation)) return operation;
  throw notFound('operation', id, 'GET /operations lists those that exist');
}

export async function visibleSchedule(application: Application, principal: Principal, id: string): Promise<Schedule> {
  const schedule = await unlessNotFound(application.schedules.get(id));
  if (schedule !== undefined && mayUse(principal, schedule.resourceId)) return schedule;
  throw notFound('schedule', id, 'GET /schedules lists those that exist');
}

/** Operations without a resource (checks of a repository) are not for confined principals. */
export function mayKnowOf(
  principal: Principal,
  work: Partial<Pick<Operation, 'resourceId' | 'kind' | 'input'>>,
): boolean {
  const { resourceId, kind, input } = work;
  if (resourceId === undefined) return principal.resources === undefined;
  return (
    mayUse(principal, resourceId) && (kind !== 'variant' || mayKnowOfVariant(principal, resourceId, input?.variant))
  );
}

/** Those who download are not told of variants that they may not have. */
function mayKnowOfVariant({ role, grants }: Principal, resourceId: string, variant: unknown): boolean {
  if (grants === undefined || includesRole(role, 'operator')) return true;
  return grants.some(
    ({ resources, variants }) => coverResource(resources, resourceId) && variants.some((name) => name === variant),
  );
}

export function notFound(what: string, id: string, next: string): HoldfastError {
  return new HoldfastError('not-found', `${what}-not-found`, `There is no ${what} ${id}; ${next}.`, {
    details: { id },
  });
}
