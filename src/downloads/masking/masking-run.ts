import type { VariantPlan } from '../variant-plan.ts';
import type { WatchedColumn } from './canary-probe.ts';
import type { RowSelection } from './row-selection.ts';

/** One production of a variant: what is to be done, and what came of it. */
export interface MaskingRun {
  plan: VariantPlan;
  /** 32 bytes: HKDF-SHA-256 from the key that the policy names, for the resource, the variant and the epoch. */
  key: Uint8Array;
  /** Absent: all rows. */
  selection?: RowSelection;
  /** Worker threads at most. */
  threads: number;
  signal: AbortSignal;
  /** Filled while the bytes are made; complete with the last one. */
  counts: MaskingCounts;
  /** Looks for originals in what is given; absent: nothing does. */
  canary?: Canary;
}

export interface MaskingCounts {
  tables: Map<string, TableCounts>;
}

export interface TableCounts {
  /** Rows of the source. */
  rowsIn: number;
  rowsOut: number;
}

export interface Canary {
  /** Worker threads share it. */
  memory: CanaryMemory;
  /** Told of some of what was given. */
  told(table: string, watched: readonly WatchedColumn[]): void;
  /** Another process looked, and found nothing. */
  foundNothing(counts: CanaryCounts): void;
}

export interface CanaryCounts {
  /** Values that were looked at. */
  looked: number;
  /** Originals that were looked for, about. */
  originals: number;
}

/** A Bloom filter of the originals of traceable columns, as bits. */
export interface CanaryMemory {
  originals: Uint8Array<SharedArrayBuffer>;
  /** A secret of this production alone, so that nothing can be read off the filter. 32 bytes. */
  secret: Uint8Array;
}
