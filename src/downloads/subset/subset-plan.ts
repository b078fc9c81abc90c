import type { TypeFamily } from '../content/content-schema.ts';
import type { Predicate } from '../predicate/predicate.ts';

/** A subset policy held against the tables that a content really has. Plain data, for a worker thread. Tables and edges are meant by their index. */
export interface SubsetPlan {
  seed: string;
  tables: readonly PlannedTable[];
  edges: readonly PlannedEdge[];
  roots: readonly PlannedRoot[];
  follow: readonly PlannedFollow[];
  /** Tables that are taken whole. */
  whole: readonly number[];
  dangling: 'fail' | 'null' | 'drop' | 'keep';
  budget: { maxRows?: number; maxBytes?: number };
}

/** A table, or a partitioned one with all its partitions: references lead to any of them. */
export interface PlannedTable {
  name: string;
  /** The tables that hold its rows. */
  members: readonly string[];
  /** What its samples and limits go by; empty where nothing of it is sampled. */
  sampledBy: readonly string[];
}

export interface PlannedEdge {
  /** For people: `public.orders (user_id) → public.users`. */
  title: string;
  table: number;
  /** Those of the table's members that have this reference. */
  members: readonly string[];
  columns: readonly string[];
  jsonPath?: readonly string[];
  when?: readonly { column: string; value: string }[];
  target: number;
  targetMembers: readonly string[];
  targetColumns: readonly string[];
  keys: KeyKind;
  isVirtual: boolean;
  /** Becomes NULL where its target is not chosen. */
  isCut: boolean;
}

/** How keys are compared: as integers, as several integers, as text, as text of which blanks at the end do not count, or case and accents neither. */
export type KeyKind = 'integer' | 'integers' | 'text' | 'padded' | 'folded';

/** The references of one pair of tables by the same columns: partitions may have one each, and share the limit. */
export interface PlannedFollow {
  edges: readonly number[];
  limitPerParent?: number;
}

export interface PlannedRoot {
  table: number;
  where?: Predicate;
  /** Of the columns that `where` reads. */
  families: Readonly<Record<string, TypeFamily>>;
  sample?: number;
  limit?: number;
  newest?: { count: number; by: string; family: TypeFamily };
}
