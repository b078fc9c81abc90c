import { HoldfastError } from '../../core/errors.ts';
import { planRanges } from '../chunk-planner.ts';
import { PACK_KIND, packKey } from '../pack-format.ts';
import type { WrittenPack } from '../pack-writer.ts';
import { ChunkClaims } from '../pipeline/chunk-claims.ts';
import { ENGINE_MODULE } from '../pipeline/messages.ts';
import { CIPHER_NONE } from '../record-cipher.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { Liveness } from './liveness.ts';
import type { Survey } from './survey.ts';

/** Chunks that are planned together; their rows take some 100 bytes each. */
const CHUNKS_AT_ONCE = 65_536;

export interface Repacked {
  /** Packs of which everything that is needed lies elsewhere now. */
  rewritten: number[];
  /** Of the new packs. */
  bytes: number;
}

/**
 * Copies what is needed of some packs to new ones, whose segment is written before this returns. Chunks of plain packs go to plain
 * packs, all others to encrypted ones. A pack that does not read as it was written is left as it is, for `check` to name.
 */
export async function repack(
  parts: RepositoryParts,
  { sparse: numbers, dead, liveness }: Pick<Survey, 'sparse' | 'dead' | 'liveness'>,
  signal?: AbortSignal,
): Promise<Repacked> {
  const { index } = parts;
  const going = [...numbers, ...dead];
  const isPlain = (number: number): boolean => index.pack(number).header[6] === CIPHER_NONE;
  const repacked: Repacked = { rewritten: [], bytes: 0 };
  for (const plain of [false, true]) {
    const chosen = new Set(numbers.filter((number) => isPlain(number) === plain));
    if (chosen.size === 0) continue;
    const { rewritten, bytes } = await copyLive(parts, chosen, { going, liveness, encrypt: !plain, signal });
    repacked.rewritten.push(...rewritten);
    repacked.bytes += bytes;
  }
  return repacked;
}

async function copyLive(
  parts: RepositoryParts,
  chosen: ReadonlySet<number>,
  options: { going: readonly number[]; liveness: Liveness; encrypt: boolean; signal: AbortSignal | undefined },
): Promise<Repacked> {
  const { going, liveness, encrypt, signal } = options;
  const { index, pool, keyring } = parts;
  const packs: WrittenPack[] = [];
  const unreadable = new Set<string>();
  const session = pool.openSession(
    {
      keyring: keyring().secrets(),
      // A copy in a pack that goes as well is none. Nobody else's look at the index may change that while the copying runs.
      index: index.sharedWithout(going),
      writing: { claims: new ChunkClaims().shared, encrypt },
    },
    { onPack: (pack) => packs.push(pack), ...index.callbacks },
  );
  let aborted = true;
  try {
    for (const slots of groupsOf(liveSlots(chosen, liveness), CHUNKS_AT_ONCE)) {
      const located = slots.map((slot) => {
        const { id, location } = liveness.table.rowAt(slot);
        const { header } = index.pack(location.pack);
        return { id, location, tags: [header[5] === PACK_KIND.metadata ? PACK_KIND.metadata : PACK_KIND.data] };
      });
      const ranges = planRanges(located, (number) => index.pack(number)).values();
      const lanes = Array.from({ length: pool.size * 2 }, async () => {
        for (const range of ranges) {
          signal?.throwIfAborted();
          try {
            await session.run(ENGINE_MODULE, {}, { kind: 'copy-chunks', range });
          } catch (error) {
            if (!(error instanceof HoldfastError) || !['damaged', 'not-found'].includes(error.kind)) throw error;
            unreadable.add(range.packKey);
          }
        }
      });
      await Promise.all(lanes);
    }
    await session.flush();
    aborted = false;
  } finally {
    await session.close(aborted);
  }
  await index.add(packs);
  const goingIds = new Set(going.map((number) => index.pack(number).idHex));
  const uncopied = new Set<number>();
  liveness.table.forEachRow((slot, pack) => {
    if (!chosen.has(pack) || !liveness.isLive(slot)) return;
    if (!index.isElsewhere(liveness.table.rowAt(slot).id, goingIds)) uncopied.add(pack);
  });
  return {
    rewritten: [...chosen].filter(
      (number) => !uncopied.has(number) && !unreadable.has(packKey(index.pack(number).idHex)),
    ),
    bytes: packs.reduce((sum, pack) => sum + pack.size, 0),
  };
}

function liveSlots(chosen: ReadonlySet<number>, liveness: Liveness): number[] {
  const slots: number[] = [];
  liveness.table.forEachRow((slot, pack) => {
    if (chosen.has(pack) && liveness.isLive(slot)) slots.push(slot);
  });
  return slots;
}

function* groupsOf(items: readonly number[], size: number): Generator<readonly number[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
