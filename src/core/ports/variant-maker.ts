import type { VariantReport } from '../stored-variant.ts';
import type { DownloadChoice, DownloadFormat, DownloadMaterial, SqlDialect } from './service-download.ts';

/** Makes masked and reduced copies of content by the policies of whoever runs the service. Knows policies and keys; nothing of grants, catalogues and stores. */
export interface VariantMaker {
  /** The variants that a resource's policy declares, in its order; empty where it has no policy. A policy that cannot be read is a fault of all its variants. */
  declared(resourceId: string): Promise<readonly DeclaredVariant[]>;
  /**
   * Finds out whether a variant of this very content can be made, and how: reads the content's schema and holds the policy against it. Nothing of it is masked yet.
   * @throws HoldfastError `variant-not-available` (unsupported): no such variant; `masking-policy-invalid` (invalid); `variant-blocked` (unsupported) with
   * `details.problems`: each names a table, column or rule and suggests what to write; `secret-missing` where the key cannot be had
   */
  plan(content: VariantContent, variant: string, signal: AbortSignal): Promise<VariantProduction>;
}

export interface DeclaredVariant {
  name: string;
  /** `masked`: every row, streamed as it is asked for; `reduced`: some rows, made once and kept. */
  kind: 'masked' | 'reduced';
  /** Made after each backup, or when somebody first asks; `keys-ahead`: then, but what it needs to know of the whole content is read after each backup. */
  produce: 'ahead' | 'keys-ahead' | 'on-demand';
  /** Loaded into a throw-away server before it is given to anybody. */
  verifiesByLoading: boolean;
  /** Its policy speaks of tables alone: what can be had as plain bytes or as SQL is SQL to it. */
  isOfTables?: true;
  /** Hex: two that are equal make the same of the same content. Covers the policy, the variant and the epoch of its key; undefined where the policy cannot be read. */
  fingerprint?: string;
  /** Why none of it can be made, in a sentence for whoever runs the service and nobody else: it may name files, and where keys are. */
  fault?: string;
  /** The policy cannot be read: whatever variants it may have, this one stands for them. */
  standsForAll?: true;
}

/** The content of one snapshot. */
export interface VariantContent {
  resourceId: string;
  snapshotId: string;
  format: DownloadFormat;
  dialect?: SqlDialect;
  /** May be called several times, one after the other or at once: a plan reads the schema, a reduced variant reads the keys first. */
  open(options: { schemaOnly: boolean; signal: AbortSignal; parts?: WantedParts }): Promise<OpenVariantContent>;
  /** Small facts of this content that were kept, encrypted, with an earlier production: the schema, the index of keys. Absent: nowhere to keep them. */
  sidecars?: VariantSidecars;
}

/** Which tables or paths alone, as `DownloadChoice` says. */
export type WantedParts = Pick<DownloadChoice, 'tables' | 'paths'>;

export interface OpenVariantContent {
  material: DownloadMaterial;
  close(): Promise<void>;
}

export interface VariantSidecars {
  /** @param name fit for a file name; says what it is and which version of its layout */
  read(name: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** That there is no room for it is told and ends nothing: it can be made again. */
  write(name: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

/** A copy of a variant that was kept: checked, and loaded where its policy wants that. */
export interface KeptCopy {
  /** Another one for other bytes. */
  id: string;
  /** Bytes. */
  length: number;
  report: VariantReport;
  /** All of it, or a part; may be asked for several times. */
  bytes(range?: { offset: number; length: number }): AsyncIterable<Uint8Array>;
}

export interface VariantProduction {
  variant: string;
  kind: DeclaredVariant['kind'];
  /** Hex, SHA-256. */
  policyHash: string;
  epoch: string;
  /** As in `DeclaredVariant`. */
  fingerprint: string;
  /**
   * The variant's content, of the same format as the source's. Its bytes end without an error only if every check passed: counts, canary, the source's own end.
   * A canary that was hit throws `variant-leaks` (damaged).
   * @param parts of a variant with all rows: only these of it, with the values that they have in the whole one. What the plan is held against is the whole content all the same
   * @throws HoldfastError `download-choice-invalid` (invalid) where the variant has no such parts, or they cannot be had alone
   */
  material(signal: AbortSignal, parts?: WantedParts): Promise<OpenVariantContent & { report(): VariantReport }>;
  /**
   * Whether parts of this variant can be had of a copy that was kept of it.
   * @throws HoldfastError `download-choice-invalid` (invalid) where it has none such, or they cannot be had alone
   */
  requirePartsOfKept(parts: WantedParts): void;
  /**
   * Parts of a copy of this variant that was kept: what stands in the copy, and nothing else. Its bytes end without an error only if each table has as many rows as were counted when
   * the copy was made.
   * @throws HoldfastError as `requirePartsOfKept`; its bytes throw `variant-copy-differs` (damaged)
   */
  partsOfKept(kept: KeptCopy, parts: WantedParts, signal: AbortSignal): DownloadMaterial;
  /** Reads what a reduced variant needs to know of the whole content, and keeps it as sidecars, so that `material` reads the content once. */
  readAhead(signal: AbortSignal): Promise<void>;
}

export type { VariantReport } from '../stored-variant.ts';
