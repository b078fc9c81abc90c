import type { ManagerContext } from './manager-context.ts';
import type { ServiceLog } from './ports/resource-log.ts';
import { recordedData } from './recorded-data.ts';
import type { Resource } from './resource.ts';
import { ResourceLogStore } from './resource-log-store.ts';

const DAY = 86_400_000;

/**
 * Forgets the pieces of a resource's log that no backup needs: those that were complete before its oldest backup began. Where it
 * has no backup, those go that are older than what the trash keeps.
 * @returns ids of what was forgotten
 */
export async function expireLog(context: ManagerContext, resource: Resource, log: ServiceLog): Promise<string[]> {
  const { catalogue, clock, configuration } = context;
  const store = new ResourceLogStore(context, resource.id);
  // The pieces are listed first: a backup that begins later needs none of those that were complete before.
  const pieces = await store.pieces();
  const oldest = (await catalogue.backups.allOf(resource.id)).at(-1);
  const bound = oldest?.createdAt ?? new Date(clock.now().getTime() - configuration.trashDays * DAY).toISOString();
  const candidates = pieces.filter((piece) => piece.completedAt < bound);
  if (candidates.length === 0) return [];
  // Where it cannot be read, nothing is forgotten: what it needs cannot be told.
  const recorded = oldest === undefined ? undefined : await recordedData(context, oldest);
  const expired = candidates.filter((piece) => !(log.outlivesBackups?.(piece, recorded) ?? false));
  const reason = oldest === undefined ? 'no backup is there to build on' : 'older than the oldest backup';
  await store.forget(expired, { trashDays: configuration.trashDays, reason });
  return expired.map(({ id }) => id);
}
