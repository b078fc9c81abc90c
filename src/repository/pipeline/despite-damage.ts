import type { HoldfastError } from '../../core/errors.ts';
import type { ChunkSource, PlannedRange } from '../../core/ports/repository.ts';
import { type LocatedChunk, planRanges } from '../chunk-planner.ts';
import type { ChunkLocation } from '../chunk-table.ts';
import { isLoss } from '../content-list.ts';
import type { IndexedPack } from '../index-segment.ts';
import { chunkMissing } from '../missing-chunk.ts';

export interface FoundPlace {
  location: ChunkLocation;
  pack: IndexedPack;
}

export interface WantedTag {
  id: Uint8Array;
  tag: number;
}

export interface ChunkPlaces {
  readonly source: ChunkSource;
  /** As `TaskContext.plan`. */
  plan(wanted: readonly WantedTag[]): Promise<readonly PlannedRange[]>;
  /** All places of a chunk, the best first. */
  placesOf(id: Uint8Array): Promise<readonly FoundPlace[]>;
}

/**
 * Reads chunks in few long ranges, as if nothing was damaged; where something is, chunk by chunk, from every place that each has.
 * @param lose is told of the tags of chunks that cannot be read from anywhere
 */
export async function readDespiteDamage(
  access: ChunkPlaces,
  wanted: readonly WantedTag[],
  take: (tag: number, bytes: Uint8Array) => void,
  lose: (tag: number, reason: HoldfastError) => void,
): Promise<void> {
  const taken = new Set<number>();
  const planned = await access.plan(wanted).catch((error: unknown) => {
    if (!isLoss(error)) throw error;
    return undefined;
  });
  for (const range of planned ?? []) await readTaking(access.source, range, taken, take);
  if (taken.size === wanted.length) return;
  let reason: HoldfastError | undefined;
  const attempt = async (located: readonly (FoundPlace & Omit<LocatedChunk, 'location'>)[]): Promise<void> => {
    const packs = new Map(located.map(({ location, pack }) => [location.pack, pack]));
    for (const range of planRanges(located, (number) => packs.get(number) as IndexedPack))
      reason = (await readTaking(access.source, range, taken, take)) ?? reason;
  };
  const chunks = await placed(
    access,
    wanted.filter(({ tag }) => !taken.has(tag)),
  );
  // One chunk that is nowhere spoils a plan for all of them.
  if (planned === undefined)
    await attempt(
      chunks.flatMap(({ id, tags, places: [first] }) => (first === undefined ? [] : [{ ...first, id, tags }])),
    );
  for (const { id, tags, places } of chunks) {
    let left = tags.filter((tag) => !taken.has(tag));
    reason = undefined;
    // The first place again, too: by itself, without what lies beside it.
    for (const place of left.length > 0 ? places : []) {
      await attempt([{ ...place, id, tags: left }]);
      left = tags.filter((tag) => !taken.has(tag));
      if (left.length === 0) break;
    }
    for (const tag of left) lose(tag, reason ?? chunkMissing(id));
  }
}

interface PlacedChunk {
  id: Uint8Array;
  tags: number[];
  places: readonly FoundPlace[];
}

async function placed(access: ChunkPlaces, wanted: readonly WantedTag[]): Promise<PlacedChunk[]> {
  const chunks = new Map<string, PlacedChunk>();
  for (const { id, tag } of wanted) {
    const name = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
    const known = chunks.get(name);
    if (known === undefined) chunks.set(name, { id, tags: [tag], places: await access.placesOf(id) });
    else known.tags.push(tag);
  }
  return [...chunks.values()];
}

/** @returns the damage that stopped the reading; what the taker throws is thrown on */
async function readTaking(
  source: ChunkSource,
  range: PlannedRange,
  taken: Set<number>,
  take: (tag: number, bytes: Uint8Array) => void,
): Promise<HoldfastError | undefined> {
  let failure: { error: unknown } | undefined;
  try {
    await source.read(range, (tag, bytes) => {
      try {
        take(tag, bytes);
      } catch (error) {
        failure = { error };
        throw error;
      }
      taken.add(tag);
    });
    return undefined;
  } catch (error) {
    if (failure !== undefined) throw failure.error;
    if (!isLoss(error)) throw error;
    return error;
  }
}
