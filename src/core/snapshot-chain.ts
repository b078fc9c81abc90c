import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { Catalogue } from './ports/catalogue.ts';
import type { Repository, SnapshotReader } from './ports/repository.ts';
import type { ChainLink } from './ports/service.ts';

/** The open snapshots that a backup needs to restore, from a full one to the backup itself. */
export interface SnapshotChain {
  readonly links: readonly ChainLink[];
  close(): Promise<void>;
}

/** The chain of something that needs none. */
export const NO_CHAIN: SnapshotChain = { links: [], close: async () => undefined };

/**
 * Opens all that a backup is built on. What the snapshots say counts; the catalogue only tells which ones to open at once,
 * and a base that it does not know is found through the snapshot that names it.
 *
 * @throws HoldfastError `base-missing` (damaged) naming the backup that is gone; what `openSnapshot` throws
 */
export async function openChain(catalogue: Catalogue, repository: Repository, backup: Backup): Promise<SnapshotChain> {
  const readers = new Map<string, SnapshotReader>();
  const close = async () => {
    await Promise.all([...readers.values()].map((reader) => reader.close()));
  };
  const open = async (id: string): Promise<SnapshotReader> => {
    const known = readers.get(id);
    if (known !== undefined) return known;
    const reader = await repository.openSnapshot(id);
    readers.set(id, reader);
    return reader;
  };
  try {
    await openListed(await lineage(catalogue, backup), open);
    const links: ChainLink[] = [];
    for (let id: string | undefined = backup.id, above: Backup | undefined; id !== undefined; ) {
      const reader: SnapshotReader = await openLink(open, id, above);
      above = reader.record.backup;
      if (links.some((link) => link.reader === reader)) throw endless(backup.id);
      links.unshift({ backup: above, reader });
      id = above.chainLength > 0 ? above.parentId : undefined;
    }
    return { links, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens a backup whose links below are open already; closes those where that fails. */
export async function extendChain(
  repository: Repository,
  backup: Backup,
  below: readonly ChainLink[],
): Promise<SnapshotChain> {
  try {
    const reader = await repository.openSnapshot(backup.id);
    return chainOf([...below, { backup: reader.record.backup, reader }]);
  } catch (error) {
    await chainOf(below).close();
    throw error;
  }
}

function chainOf(links: readonly ChainLink[]): SnapshotChain {
  return {
    links,
    close: async () => {
      await Promise.all(links.map(({ reader }) => reader.close()));
    },
  };
}

const AT_ONCE = 8;

/** Ids from `backup` down to its full backup, as far as the catalogue knows them. */
async function lineage(catalogue: Catalogue, backup: Backup): Promise<string[]> {
  const ids = new Set([backup.id]);
  let above: Backup | undefined = backup;
  while (above !== undefined && above.chainLength > 0 && above.parentId !== undefined && !ids.has(above.parentId)) {
    ids.add(above.parentId);
    above = await catalogue.backups.get(above.parentId);
  }
  return [...ids];
}

/** Opens several at once; what fails here fails again, with its place in the chain, when the links are joined. */
async function openListed(ids: readonly string[], open: (id: string) => Promise<SnapshotReader>): Promise<void> {
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    await Promise.allSettled(ids.slice(start, start + AT_ONCE).map(open));
  }
}

async function openLink(
  open: (id: string) => Promise<SnapshotReader>,
  id: string,
  above: Backup | undefined,
): Promise<SnapshotReader> {
  try {
    return await open(id);
  } catch (error) {
    if (above === undefined || !(error instanceof HoldfastError) || error.kind !== 'not-found') throw error;
    throw new HoldfastError(
      'damaged',
      'base-missing',
      `${above.id} builds on ${id}, which is not in the repository any more. Restore a backup that was made before or after this chain.`,
      { cause: error, details: { backupId: above.id, baseId: id } },
    );
  }
}

function endless(id: string): HoldfastError {
  const message = `The chain of ${id} never reaches a full backup. Run "holdfast verify" and restore another backup.`;
  return new HoldfastError('damaged', 'chain-endless', message, { details: { backupId: id } });
}
