import type { VariantContent } from './variant-maker.ts';

/** What whoever writes masking policies works with. Nothing of it is given to anybody else, and nothing is kept. */
export interface PolicyWorkshop {
  /**
   * Drafts a policy of a content: of its definitions, and of a sample of its values where some are wanted.
   * @returns YAML that has no problems with that content. No value stands in it
   * @throws HoldfastError `variant-format-not-offered` (unsupported), `variant-content-unreadable` (unsupported)
   */
  draft(content: VariantContent, options: DraftRequest, signal: AbortSignal): Promise<string>;
  /**
   * Reads a policy.
   * @throws HoldfastError `masking-policy-invalid` (invalid) with `details.faults`: `{ line, column, message }`; `masking-policy-missing` (not-found)
   */
  policy(place: PolicyPlace): Promise<ReadablePolicy>;
  /**
   * Rows of a variant as somebody would get them, and how many each table would have.
   * @throws HoldfastError what `VariantMaker.plan` throws; `preview-table-missing` (not-found)
   */
  preview(content: VariantContent, request: PreviewRequest, signal: AbortSignal): Promise<VariantPreview>;
  /** The JSON Schema of a policy's file, for editors. */
  jsonSchema(): Record<string, unknown>;
}

export interface DraftRequest {
  /** Reference to the key that the policy will name. */
  key: string;
  /** Of each table, at most so many rows are looked at; 0: names and types alone, and no row is read. */
  sampledRows: number;
}

/** The text of a file, or the policy that the configured folder has for a resource. */
export type PolicyPlace = { name: string; text: string } | { resourceId: string };

export interface ReadablePolicy {
  /** Path of its file. */
  file: string;
  /** Whose it is: the id of a resource, or the beginning of ids followed by `*`. */
  resource: string;
  /**
   * Holds all its variants against a content. No key is needed.
   * @param sampledRows of each table, in which the columns that it keeps are searched for personal data; 0, and a schema alone: none. A table with such data is a problem
   * @param earlier contents of before, newest first: what has changed since the newest that the policy fits is told. Looked at until that is found, a few at most
   * @throws HoldfastError `variant-format-not-offered`, `variant-content-unreadable` (unsupported)
   */
  check(
    content: VariantContent | GivenSchema,
    options: { earlier: AsyncIterable<VariantContent> | undefined; sampledRows: number },
    signal: AbortSignal,
  ): Promise<PolicyCheck>;
}

/** Definitions that no backup holds: what `pg_dump --schema-only` prints, a dump of MySQL, a SQLite database. */
export interface GivenSchema {
  /** For messages. */
  name: string;
  /** Default: told by how it begins. */
  dialect?: 'postgresql' | 'mysql' | 'sqlite';
  bytes: AsyncIterable<Uint8Array>;
}

export interface PolicyCheck {
  variants: readonly CheckedVariant[];
  /** Absent: there is nothing to compare with. */
  drift?: PolicyDrift;
}

export interface CheckedVariant {
  name: string;
  kind: 'masked' | 'reduced';
  /** None: it can be made. */
  problems: readonly FoundProblem[];
}

export interface FoundProblem {
  code: string;
  table?: string;
  column?: string;
  /** Sentences; no value of the data. */
  message: string;
  suggestion: string;
}

export interface PolicyDrift {
  snapshotId: string;
  /** Whether the policy fits that one. */
  wasGood: boolean;
  changes: readonly { kind: string; table: string; column?: string; message: string }[];
}

export interface PreviewRequest {
  variant: string;
  /** These alone. */
  tables?: readonly string[];
  /** Of each table. */
  rows: number;
}

export interface VariantPreview {
  variant: string;
  kind: 'masked' | 'reduced';
  tables: readonly PreviewedTable[];
  /** The beginning of a masked document. */
  document?: string;
}

export interface PreviewedTable {
  table: string;
  fate: 'rows' | 'structure' | 'drop';
  columns: readonly string[];
  /** Long values are cut; what the database computes is `undefined`. */
  rows: readonly (readonly (string | null | undefined)[])[];
  /** Columns that are computed when the variant is loaded, by an expression of its policy. */
  derived?: readonly string[];
  /** Of a reduced variant. */
  size?: { rows: number; of: number };
}
