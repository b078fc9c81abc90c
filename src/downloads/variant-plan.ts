import type { TypeFamily } from './content/content-schema.ts';
import type { Predicate } from './predicate/predicate.ts';

/** What a masking policy comes to for one variant of one content, compiled and found to hold. Plain data: it can be hashed and sent to a worker thread. */
export interface VariantPlan {
  variant: string;
  /** Hex, SHA-256 of the policy in canonical form. */
  policyHash: string;
  /** Which pseudonyms: another epoch has others. */
  epoch: string;
  content: ContentPlan;
  /** What the canary check looks for. */
  detectors: 'high' | 'all' | 'none';
}

export type ContentPlan =
  | { kind: 'tables'; tables: readonly TablePlan[] }
  | { kind: 'document'; json: JsonPlan }
  | { kind: 'files'; files: readonly FilePlan[] };

export interface TablePlan {
  /** As `TableSchema.name` says it. */
  table: string;
  /** `structure`: the table without rows; `drop`: not even that. */
  fate: 'rows' | 'structure' | 'drop';
  /** One for each column of the table, in the order of its definition. */
  columns: readonly ColumnPlan[];
  /** Rows that are given as they are. */
  unless?: Predicate;
}

export interface ColumnPlan {
  column: string;
  rule: Rule;
  /**
   * As the schema says. For a column of a foreign key, `family`, `type` and `maxLength` are those of the column that it leads to: what a transformer
   * gives may hang on them, and both must give the same.
   */
  family: TypeFamily;
  type?: string;
  isNullable: boolean;
  maxLength?: number;
  allowedValues?: readonly string[];
  /** Personal data that a check finds in this column is known of and allowed, with a reason in the policy. */
  allowsDetected?: true;
}

/** What is done to the values of a column. */
export interface Rule {
  /** The name of a transformer; `keep` changes nothing. */
  transformer: string;
  /** As the transformer's own schema parsed them. */
  options: Readonly<Record<string, unknown>>;
  /** Columns of one domain give equal output for equal input. By default that is the name of the transformer. */
  domain: string;
  /** Done to a value before its pseudonym is looked for, so that spellings of the same come to the same. */
  normalise: readonly ('trim' | 'lower')[];
}

/** What is done to the scalars of JSON text. */
export interface JsonPlan {
  /** For scalars that no path names: `redact`: strings `"[redacted]"`, numbers 0, booleans as they are. */
  unknown: 'redact' | 'null' | 'keep' | 'fail';
  /** A subset of JSONPath (RFC 9535): `$`, `.name`, `['name']`, `[*]`, `.*`, `..name`. The first that matches counts. */
  paths: readonly { path: string; rule: Rule }[];
  /**
   * For names of members that look personal (an address of e-mail, a number of a telephone, a card, an account) and stand in no path, outside of what a path keeps.
   * `redact`, the default: `"[redacted]"`, `"[redacted 2]"` ….
   */
  names?: 'redact' | 'keep' | 'fail';
  /** For text that is no JSON, or nested deeper than 1,000. A document as a whole always fails. */
  onInvalid: 'null' | 'fail';
}

/** What is done to the files of a tree; the first whose pattern matches counts, and a file that none matches stops the variant. */
export interface FilePlan {
  /** A glob over the path within the backup. */
  pattern: string;
  fate: 'keep' | 'drop' | 'csv' | 'json';
  /** For `csv`: how it is written, and the rules of its columns; the table's name is the pattern. */
  csv?: { delimiter: string; quote: string; hasHeader: boolean; table: TablePlan };
  json?: JsonPlan;
}

/** No rule at all, written out: reviewed and found not to be personal. */
export const KEEP = 'keep';

/** What the database computes of the masked row when the rows are there. */
export const DERIVE = 'derive';
