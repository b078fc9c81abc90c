import type { RowPlaces } from '../content/row-places.ts';
import type { MemberRun } from './member-runs.ts';
import type { RowBits } from './row-bits.ts';
import type { RowReferences } from './row-references.ts';

/**
 * Which rows there are and what they refer to, without the keys themselves. It hangs on the content and the edges alone, so that all variants
 * with the same edges share one. All by the indexes of a SubsetPlan.
 */
export interface KeyIndex {
  tables: readonly (readonly MemberRun[])[];
  /** For each edge and each row of its table: the row that is referred to, `NO_REFERENCE` or `DANGLING`. */
  references: readonly RowReferences[];
  /** Where the rows stand; absent where they were read from something else than an archive. */
  places?: RowPlaces;
}

/** What the roots and limits of a plan go by, whatever its seed, shares and limits are. */
export interface RowFacts {
  /** For each table of which something is sampled: what of each row's key a sample goes by (`rowMark`). */
  marks: readonly (Uint32Array | undefined)[];
  roots: readonly RootFacts[];
}

export interface RootFacts {
  /** The rows that `where` means. */
  chosen?: RowBits;
  /** What `newest` goes by. */
  sorting?: Float64Array;
}

/** All that rows are chosen by. */
export interface SubsetIndex extends KeyIndex, RowFacts {}

/** How many rows a table has. */
export function rowsOf(index: KeyIndex, table: number): number {
  return (index.tables[table] ?? []).reduce((sum, { rows }) => sum + rows, 0);
}
