import { createHash } from 'node:crypto';
import type { Principal } from './access.ts';
import { RAW_VARIANT } from './download.ts';
import type { DownloadLimits, Grant } from './grant.ts';
import { activeGrants } from './grant-expiry.ts';
import { coverResource } from './resource-pattern.ts';

/** One grant that covers a resource now, or the absence of grants, which allows everything. */
export interface Permission {
  variants: 'all' | readonly string[];
  latestOnly: boolean;
  /** RFC 3339, UTC: only snapshots that were created then or later. */
  notBefore?: string;
  /** Variants for which a reason has to be given. */
  reasonFor: readonly string[];
  limits: DownloadLimits;
  /** Under which name downloads by this permission are counted. */
  account: string;
}

const DAY = 86_400_000;

/** What allows a caller to download something of a resource; nothing does where this is empty. */
export function permissionsFor(principal: Principal, resourceId: string, now: Date): readonly Permission[] {
  const { resources, grants } = principal;
  if (resources !== undefined && !coverResource(resources, resourceId)) return [];
  const caller = `${principal.method ?? 'local'}:${principal.name}`;
  if (grants === undefined) return [{ variants: 'all', latestOnly: false, reasonFor: [], limits: {}, account: caller }];
  return activeGrants(grants, now)
    .filter((grant) => coverResource(grant.resources, resourceId))
    .map((grant) => permissionOf(grant, caller, now));
}

/** Patterns of the resources of which a caller may have something now; undefined: all. */
export function coveredResources({ resources, grants }: Principal, now: Date): readonly string[] | undefined {
  return grants === undefined ? resources : activeGrants(grants, now).flatMap((grant) => grant.resources);
}

/** Whether a caller may have nothing but what masking policies make: nothing at all, then, of resources without one. */
export function needsPolicies({ grants }: Principal, now: Date): boolean {
  return grants !== undefined && activeGrants(grants, now).every(({ variants }) => !variants.includes(RAW_VARIANT));
}

/** RFC 3339, UTC: of older snapshots a caller may have nothing, whatever the resource; undefined: there is no such bound. */
export function earliestReached({ grants = [] }: Principal, now: Date): string | undefined {
  const bounds = activeGrants(grants, now).map((grant) => notBeforeOf(grant, now));
  return bounds.includes(undefined) ? undefined : bounds.toSorted()[0];
}

export function allowsVariant({ variants }: Permission, variant: string): boolean {
  return variants === 'all' || variants.includes(variant);
}

/** Whether a permission reaches a snapshot, which is the newest one or not. */
export function allowsSnapshot(
  { latestOnly, notBefore }: Permission,
  { createdAt }: { createdAt: string },
  isNewest: boolean,
): boolean {
  return (isNewest || !latestOnly) && (notBefore === undefined || createdAt >= notBefore);
}

/** The permissions that reach a snapshot of a resource, of which `newest` is the newest one. */
export function permissionsReaching(
  permissions: readonly Permission[],
  snapshot: { id: string; createdAt: string },
  newest: { id: string } | undefined,
): readonly Permission[] {
  return permissions.filter((permission) => allowsSnapshot(permission, snapshot, snapshot.id === newest?.id));
}

function permissionOf(grant: Grant, caller: string, now: Date): Permission {
  const { variants, latestOnly = false, reasonFor = [], limits = {} } = grant;
  const notBefore = notBeforeOf(grant, now);
  return {
    variants,
    latestOnly,
    ...(notBefore === undefined ? {} : { notBefore }),
    reasonFor,
    limits,
    account: `${caller}#${fingerprintOf(grant)}`,
  };
}

function notBeforeOf({ maxAgeDays }: Grant, now: Date): string | undefined {
  return maxAgeDays === undefined ? undefined : new Date(now.getTime() - maxAgeDays * DAY).toISOString();
}

/** Grants have no names: what a grant is about tells one from another. */
function fingerprintOf({ resources, variants, limits = {} }: Grant): string {
  const { downloadsPerHour, concurrent, bytesPerDay } = limits;
  const text = JSON.stringify([resources, variants, [downloadsPerHour, concurrent, bytesPerDay]]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
