import type { TableSchema, TypeFamily } from '../../content/content-schema.ts';
import type { Transformer } from '../../masking/transformer.ts';
import type { Predicate } from '../../predicate/predicate.ts';
import type { MaskingPolicy, VariantPolicy } from '../masking-policy.ts';
import type { NameHints } from './name-hints.ts';
import type { PolicyProblem } from './policy-problem.ts';

/** What is at hand while a policy is held against a content. */
export interface Compilation {
  policy: MaskingPolicy;
  variant: VariantPolicy;
  transformers: ReadonlyMap<string, Transformer>;
  language: PolicyLanguage;
  hints: NameHints;
  /** Filled as they are found. */
  problems: PolicyProblem[];
}

/** The languages within a policy. Each throws whatever, with a message for whoever wrote it. */
export interface PolicyLanguage {
  /** Holds a condition against columns. `familyOf`: undefined for a column that there is not. */
  checkPredicate(predicate: Predicate, familyOf: (column: string) => TypeFamily | undefined): void;
  /** Reads paths of JSON, and looks for those that can never count. */
  checkJsonPaths(paths: readonly string[]): void;
}

/** The files of a backup. */
export interface FileTree {
  dialect: 'csv';
  /** Paths of all files within the backup. Absent: not known, and each is held against the patterns when it comes. */
  paths?: readonly string[];
  /** CSV files by their paths, as far as their headers are known. */
  tables: readonly TableSchema[];
}
