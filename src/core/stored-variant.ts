import type { DownloadFormat, SqlDialect } from './download-format.ts';

/** Facts of a production that ended well. */
export interface VariantReport {
  tables: readonly { name: string; rowsIn: number; rowsOut: number }[];
  /** Values that the canary check looked at, and originals that it knows. */
  canary: { looked: number; originals: number };
}

/** Of which snapshot something was made, as which content. */
export interface VariantSource {
  /** The snapshot's id: a backup's, or that of another tool's. */
  sourceId: string;
  format: DownloadFormat;
  /** Which one, of a source that holds several databases. */
  database?: string;
}

/** What a kept masked or reduced copy is a copy of, and what it was made by. */
export interface StoredVariant extends VariantSource {
  name: string;
  /** Hex. */
  policyHash: string;
  /** Of the key that masked it. */
  epoch: string;
  /** Hex; see `DeclaredVariant`. */
  fingerprint: string;
  dialect?: SqlDialect;
  mediaType: string;
  /** With its dot. */
  fileExtension: string;
  isReproducible: boolean;
  report: VariantReport;
}

/** What a production kept of a source for the next one; nobody downloads it. */
export interface StoredSidecar extends VariantSource {
  name: string;
}
