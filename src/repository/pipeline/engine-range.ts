import type { PlannedRange } from '../../core/ports/repository.ts';

/** One chunk wanted from a range; frames are named by their place in the pack. */
export interface WantedChunk {
  id: Uint8Array;
  frameOffset: number;
  frameLength: number;
  bodyOffset: number;
  length: number;
  tags: readonly number[];
}

/** A `PlannedRange` as the engine knows it: what is wanted, in order of offset. */
export interface EngineRange extends PlannedRange {
  readonly pack: { idHex: string; header: Uint8Array };
  readonly wanted: readonly WantedChunk[];
}
