import type { Predicate } from '../predicate/predicate.ts';
import type { SubsetPolicy } from '../subset/subset-policy.ts';
import type { FilePlan, JsonPlan, VariantPlan } from '../variant-plan.ts';

/** What may leave a resource's backups, and how: a file that people write, review and keep in git. Names are not held against any schema yet. */
export interface MaskingPolicy {
  version: 1;
  /** The id of a resource, or the beginning of ids followed by `*`. */
  resource: string;
  /** A reference to the key of which all pseudonyms are made. */
  key: string;
  /** Another epoch has other pseudonyms. */
  epoch: string;
  /** Given to whoever does not name a variant. */
  defaultVariant?: string;
  /** In the order in which they are written, each with what it takes from the one it extends. */
  variants: ReadonlyMap<string, VariantPolicy>;
  /** Tables that are not named. */
  newTable: 'fail' | 'structure';
  /** Columns that are not named. */
  newColumn: 'fail' | 'null';
  domains: ReadonlyMap<string, DomainPolicy>;
  /** By the name that `tableName` gives. */
  tables: ReadonlyMap<string, TablePolicy>;
  /** Fates of tables by a pattern of their names; `*` stands for any characters. */
  tablePatterns: ReadonlyMap<string, 'structure' | 'drop'>;
  document?: DocumentPolicy;
  /** The first whose pattern matches counts. */
  files: readonly FilePolicy[];
  detectors: VariantPlan['detectors'];
}

export interface VariantPolicy {
  name: string;
  kind: 'masked' | 'reduced';
  /** Only of a reduced one. */
  subset?: SubsetPolicy;
  /** `keys-ahead` only of a reduced one. */
  produce: 'ahead' | 'keys-ahead' | 'on-demand';
  verifiesByLoading: boolean;
}

/** Columns that share a domain get equal output for equal input. */
export interface DomainPolicy {
  rule: TransformerRule;
  normalise: readonly ('trim' | 'lower')[];
}

export interface TablePolicy {
  fate: 'rows' | 'structure' | 'drop';
  /** In the order in which they are written. */
  columns: ReadonlyMap<string, ColumnPolicy>;
  /** Rows that are given as they are, and why they may be. */
  unless?: { rows: Predicate; reason: string };
}

export interface ColumnPolicy {
  rule: RulePolicy;
  /** The type that the column had when the rule was written. */
  type?: string;
  /** Why the column may lose its uniqueness. */
  allowUniquenessLoss?: string;
  /** Why what looks like personal data may stay in it. */
  allowDetected?: string;
}

export type RulePolicy = TransformerRule | { kind: 'domain'; domain: string } | { kind: 'generated' };

export interface TransformerRule {
  kind: 'transformer';
  transformer: string;
  /** As written: an object, or the value of the transformer's shorthand option. */
  options?: unknown;
}

export interface DocumentPolicy {
  unknown: JsonPlan['unknown'];
  names: NonNullable<JsonPlan['names']>;
  paths: readonly { path: string; rule: RulePolicy }[];
  onInvalid: JsonPlan['onInvalid'];
}

export interface FilePolicy {
  pattern: string;
  fate: FilePlan['fate'];
  csv?: { delimiter: string; quote: string; hasHeader: boolean; table: TablePolicy };
  json?: DocumentPolicy;
}
