import type { MemberRun } from './member-runs.ts';
import type { RowBits } from './row-bits.ts';

/** Which rows there are and what they refer to, without the keys themselves. All by the indexes of a SubsetPlan. */
export interface KeyIndex {
  tables: readonly (readonly MemberRun[])[];
  /** For each edge and each row of its table: the row that is referred to, `NO_REFERENCE` or `DANGLING`. */
  references: readonly Int32Array[];
  /** For each table of which something is sampled: each row's place in the order of samples. */
  places: readonly (Uint32Array | undefined)[];
  roots: readonly RootIndex[];
}

export interface RootIndex {
  /** The rows that `where` means. */
  chosen?: RowBits;
  /** What `newest` goes by. */
  sorting?: Float64Array;
}
