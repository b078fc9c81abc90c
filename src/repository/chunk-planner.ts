import type { ChunkLocation } from './chunk-table.ts';
import type { IndexedPack } from './index-segment.ts';
import { packKey } from './pack-format.ts';
import type { EngineRange, WantedChunk } from './pipeline/engine-range.ts';

/** Reads are joined over gaps up to this many bytes … */
const LARGEST_GAP = 262_144;
/** … into ranges up to this many (restic PR 2195, vykar; research: engines.md 2.4). */
const LARGEST_RANGE = 8 * 1024 * 1024;

export interface LocatedChunk {
  id: Uint8Array;
  location: ChunkLocation;
  tags: number[];
}

/** Orders chunks by pack and place and joins neighbours into few long reads. */
export function planRanges(located: readonly LocatedChunk[], packOf: (number: number) => IndexedPack): EngineRange[] {
  const sorted = located.toSorted(
    (a, b) =>
      a.location.pack - b.location.pack ||
      a.location.frameOffset - b.location.frameOffset ||
      a.location.bodyOffset - b.location.bodyOffset,
  );
  const ranges: EngineRange[] = [];
  let members: LocatedChunk[] = [];
  let end = 0;
  for (const chunk of sorted) {
    const first = members[0]?.location;
    const { pack, frameOffset, frameLength } = chunk.location;
    const joins =
      first !== undefined &&
      pack === first.pack &&
      frameOffset - end <= LARGEST_GAP &&
      frameOffset + frameLength - first.frameOffset <= LARGEST_RANGE;
    if (!joins) {
      if (members.length > 0) ranges.push(toRange(members, end, packOf));
      members = [];
      end = 0;
    }
    members.push(chunk);
    end = Math.max(end, frameOffset + frameLength);
  }
  if (members.length > 0) ranges.push(toRange(members, end, packOf));
  return ranges;
}

function toRange(members: readonly LocatedChunk[], end: number, packOf: (number: number) => IndexedPack): EngineRange {
  const first = members[0]?.location as ChunkLocation;
  const pack = packOf(first.pack);
  const wanted: WantedChunk[] = members.map(({ id, location, tags }) => ({
    id,
    frameOffset: location.frameOffset,
    frameLength: location.frameLength,
    bodyOffset: location.bodyOffset,
    length: location.length,
    tags,
  }));
  return {
    packKey: packKey(pack.idHex),
    offset: first.frameOffset,
    length: end - first.frameOffset,
    plainLength: wanted.reduce((sum, chunk) => sum + chunk.length * chunk.tags.length, 0),
    pack: { idHex: pack.idHex, header: pack.header },
    wanted,
    tags: wanted.flatMap((chunk) => chunk.tags),
  };
}
