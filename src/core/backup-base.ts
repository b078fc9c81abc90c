import type { Backup, BackupType } from './backup.ts';
import { isUnreadable } from './earlier-content.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Repository } from './ports/repository.ts';
import type { Service } from './ports/service.ts';
import type { Resource } from './resource.ts';
import { extendChain, NO_CHAIN, openChain, type SnapshotChain } from './snapshot-chain.ts';

/** What a new backup will be, and what it builds on. */
export interface BackupBase {
  type: BackupType;
  /** Absent for full backups. */
  base?: Backup;
  chain: SnapshotChain;
  /** Why it is a full one although something else was asked for. */
  warnings: readonly string[];
}

/**
 * Chooses what a backup of `requested` type builds on: the latest backup for an incremental one, the latest full one for a
 * differential one. Where that cannot be built on, the backup becomes a full one and says why. The caller closes the chain.
 */
export async function chooseBase(
  context: ManagerContext,
  resource: Resource,
  service: Service,
  repository: Repository,
  requested: { type: BackupType; encrypt: boolean },
): Promise<BackupBase> {
  if (requested.type === 'full') return { type: 'full', chain: NO_CHAIN, warnings: [] };
  const base =
    requested.type === 'incremental'
      ? await context.catalogue.backups.latest(resource.id)
      : await context.catalogue.backups.latest(resource.id, 'full');
  if (base === undefined) return full(`No earlier backup of "${resource.id}" to build on: made a full one.`);
  const obstacle = obstacleTo(base, service, resource.repositoryId, context.configuration.maxChainLength);
  if (obstacle !== undefined) return full(obstacle);
  return openBase(context, repository, base, requested);
}

/** Opening the base early finds out whether it can be read at all, before anything of the new backup is written. */
async function openBase(
  context: ManagerContext,
  repository: Repository,
  base: Backup,
  requested: { type: BackupType; encrypt: boolean },
): Promise<BackupBase> {
  let chain: SnapshotChain;
  try {
    const below = context.recentChains.take(base.id);
    chain =
      below === undefined
        ? await openChain(context.catalogue, repository, base)
        : await extendChain(repository, base, below);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    context.logger.error({ backupId: base.id, err: error }, 'a backup cannot be built on because it is damaged');
    return full(`The latest backup, ${base.id}, cannot be read (${error.message}): made a full one.`);
  }
  if (requested.encrypt && chain.links.some(({ backup }) => !backup.encrypted)) {
    await chain.close();
    return full(`The earlier backups are not encrypted and this one must be: made a full one.`);
  }
  return { type: requested.type, base, chain, warnings: [] };
}

function obstacleTo(base: Backup, service: Service, repositoryId: string, maxChainLength: number): string | undefined {
  if (base.service !== service.name) {
    return `The latest backup was made by the service "${base.service}", not "${service.name}": made a full one.`;
  }
  if (base.repositoryId !== repositoryId) {
    return `The latest backup lies in the repository "${base.repositoryId}", not "${repositoryId}": made a full one.`;
  }
  if (base.chainLength >= maxChainLength) {
    return `${base.chainLength} deltas build on each other already, as many as are allowed: made a full one.`;
  }
  return undefined;
}

function full(warning: string): BackupBase {
  return { type: 'full', chain: NO_CHAIN, warnings: [warning] };
}
