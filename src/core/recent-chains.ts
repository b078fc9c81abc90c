import type { ChainLink } from './ports/service.ts';

/** Links kept open in all; one holds a small document or delta at most, larger ones lie in packs. */
const MOST_LINKS = 1024;

/**
 * What the deltas made last build on, still open: the next delta of such a chain then opens one snapshot instead of up to
 * fifty. Snapshots never change, so that what is open stays true.
 */
export class RecentChains {
  readonly #chains = new Map<string, readonly ChainLink[]>();
  #links = 0;

  /** Keeps what `backupId` builds on, from the full backup to its base; the readers belong to this from now on. */
  async keep(backupId: string, links: readonly ChainLink[]): Promise<void> {
    this.#chains.set(backupId, links);
    this.#links += links.length;
    for (const [oldest, dropped] of this.#chains) {
      if (this.#links <= MOST_LINKS) return;
      this.take(oldest);
      await closeLinks(dropped);
    }
  }

  /** Gives out what `backupId` builds on, if it is known; the readers are the caller's then. */
  take(backupId: string): readonly ChainLink[] | undefined {
    const links = this.#chains.get(backupId);
    this.#chains.delete(backupId);
    this.#links -= links?.length ?? 0;
    return links;
  }

  async close(): Promise<void> {
    const all = [...this.#chains.values()].flat();
    this.#chains.clear();
    this.#links = 0;
    await closeLinks(all);
  }
}

async function closeLinks(links: readonly ChainLink[]): Promise<void> {
  await Promise.all(links.map(({ reader }) => reader.close()));
}
