import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { type ReferencedChunk, referencedChunks } from '../referenced-chunks.ts';
import { listBadPacks } from '../repair/bad-packs.ts';
import type { RepositoryParts } from '../repository-parts.ts';

/**
 * The second look: which of the condemned packs snapshots need that came since the first one. It asks the index as it is after
 * the snapshots were listed.
 *
 * @param candidates ids of packs condemned in this round
 * @param unmarked those that came since the first look; the others' chunks all have places outside of the candidates
 */
export async function keptPacks(
  parts: RepositoryParts,
  candidates: ReadonlySet<string>,
  unmarked: readonly SnapshotRecord[],
): Promise<string[]> {
  const { condemned } = await parts.followCollection();
  const noPlace = new Set([...condemned, ...(await listBadPacks(parts.storage))]);
  const kept = new Set<string>();
  const keep = ({ id }: ReferencedChunk): void => {
    if (parts.index.isElsewhere(id, noPlace)) return;
    parts.index.forEachPlace(id, (packId) => {
      if (candidates.has(packId)) kept.add(packId);
    });
  };
  const seenPages = new Set<string>();
  for (const record of unmarked) for await (const chunk of referencedChunks(parts, record, seenPages)) keep(chunk);
  return [...kept];
}
