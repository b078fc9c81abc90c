import type { ChunkLocation } from '../chunk-table.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { WrittenPack } from '../pack-writer.ts';

/** What worker threads tell and ask of the main thread in one session. */
export interface SessionCallbacks {
  onPack?: (pack: WrittenPack) => void;
  packOf: (number: number) => IndexedPack;
  /** Where chunks are now, after a look at the index as it is in the storage. */
  placesOf: PlacesOf;
}

export type PlacesOf = (ids: readonly Uint8Array[]) => Promise<readonly ChunkPlace[]>;

/** Where a chunk is now; without a location where no pack holds it any more. */
export interface ChunkPlace {
  location?: ChunkLocation;
  pack?: IndexedPack;
}
