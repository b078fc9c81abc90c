import type { Principal } from './access.ts';
import { DEFAULT_DOWNLOADS } from './download.ts';
import { permissionsFor, permissionsReaching } from './download-permissions.ts';
import type { DownloadableSnapshots } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Resource } from './resource.ts';

/** Names that an answer lists at most. */
const NAMED = 20;
/** Resources that are looked into for backups at most. */
const LOOKED_INTO = 200;

/**
 * The resource that a caller means who names none: the configured one, or the only one of which the caller may have something. Undefined
 * where there is none.
 * @throws HoldfastError `resource-needed` (invalid) where there are several; `details.resources`: those with a backup for the caller
 */
export async function unnamedResource(
  snapshots: DownloadableSnapshots,
  context: ManagerContext,
  principal: Principal,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { clock, configuration } = context;
  const mayHave = (id: string) => permissionsFor(principal, id, clock.now()).length > 0;
  const { defaultResource } = configuration.downloads ?? DEFAULT_DOWNLOADS;
  if (defaultResource !== undefined && mayHave(defaultResource)) return defaultResource;
  const permitted: Resource[] = [];
  for await (const resource of snapshots.resources()) {
    if (mayHave(resource.id)) permitted.push(resource);
    if (permitted.length >= LOOKED_INTO) break;
  }
  if (permitted.length <= 1) return permitted[0]?.id;
  const ids: string[] = [];
  for (const resource of permitted) {
    if (await hasOne(snapshots, context, { resource, principal }, signal)) ids.push(resource.id);
    if (ids.length > NAMED) break;
  }
  throw resourceNeeded(ids);
}

/** What another tool keeps is not asked for: that may take long. */
async function hasOne(
  snapshots: DownloadableSnapshots,
  { services, clock }: ManagerContext,
  { resource, principal }: { resource: Resource; principal: Principal },
  signal: AbortSignal,
): Promise<boolean> {
  if (services.find(resource.service)?.externalSnapshots !== undefined) return true;
  const permissions = permissionsFor(principal, resource.id, clock.now());
  // No permission reaches an older one that does not reach the newest.
  for await (const newest of snapshots.newestFirst({ resourceId: resource.id }, signal))
    return permissionsReaching(permissions, newest, newest).length > 0;
  return false;
}

function resourceNeeded(ids: readonly string[]): HoldfastError {
  const [first] = ids;
  const resources = ids.slice(0, NAMED);
  const named = `${resources.join(', ')}${ids.length > NAMED ? ' …' : ''}`;
  const message =
    first === undefined
      ? 'You may have several resources, and none of them has a backup for you yet. GET /snapshots lists what there is.'
      : ids.length === 1
        ? `You may have several resources, of which only ${first} has a backup for you yet. Name it: /download/${first}`
        : `You may have several resources: ${named}. Name one: /download/${first}`;
  return new HoldfastError('invalid', 'resource-needed', message, { details: { resources } });
}
