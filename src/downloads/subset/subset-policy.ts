import type { Predicate } from '../predicate/predicate.ts';

/** Which rows a reduced variant has, as its policy says. Names are those of `ContentSchema`. */
export interface SubsetPolicy {
  /** What the stable samples hang on: the same seed chooses the same rows. No secret. */
  seed: string;
  roots: readonly SubsetRoot[];
  /** Children that are taken along; no others are. */
  follow: readonly FollowedEdge[];
  /** References that the database does not know of. */
  virtualKeys: readonly VirtualKey[];
  /** References that become NULL where the row that they lead to is not chosen, instead of choosing it. */
  nullOut: readonly TableColumns[];
  /** All rows of a table or none; `*` for those that nothing connects to a root. */
  unconnected: ReadonlyMap<string, 'all' | 'none'>;
  /** What happens to references that lead to no row: `fail` stops, `null` writes NULL, `drop` leaves out the row, `keep` leaves the reference. */
  dangling: 'fail' | 'null' | 'drop' | 'keep';
  budget: { maxRows?: number; maxBytes?: number };
}

/** Rows that are chosen by themselves. */
export interface SubsetRoot {
  table: string;
  where?: Predicate;
  /** Share of the rows that `where` means, 0 to 1. Absent: all. */
  sample?: number;
  /** Columns that the sample goes by, so that a row is chosen again tomorrow; the primary key where absent. */
  by?: readonly string[];
  /** At most so many rows, stable as well. */
  limit?: number;
  /** Only those with the highest values. */
  newest?: { count: number; by: string };
}

/** From each chosen row of `from` to those rows of `to` that refer to it. */
export interface FollowedEdge {
  from: string;
  to: string;
  /** Columns of `to`. */
  via: readonly string[];
  limitPerParent?: number;
}

export interface TableColumns {
  table: string;
  columns: readonly string[];
}

export interface VirtualKey {
  table: string;
  columns: readonly string[];
  /** Members of the JSON in the only column, from the outside in: `data->'a'->>'b'` is `['a', 'b']`. */
  jsonPath?: readonly string[];
  target: string;
  targetColumns: readonly string[];
  /** Only in rows in which these columns have these values, as text. */
  when?: ReadonlyMap<string, string>;
}
