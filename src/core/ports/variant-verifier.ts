import type { VariantReport } from '../stored-variant.ts';
import type { DownloadMaterial } from './service-download.ts';

/** Facts of what is to be loaded. */
export interface LoadedVariant extends Pick<DownloadMaterial, 'format' | 'dialect' | 'fileExtension'> {
  /** What the production counted; may be asked for once all bytes have come. */
  report(): VariantReport;
}

/** Proves that a variant loads, before anybody gets it. */
export interface VariantVerifier {
  /**
   * Loads a variant into a throw-away server of its own, and removes that again on every path.
   * @param material facts of what `bytes` give; where these break off, the variant is given up and so is this
   * @throws HoldfastError `variant-not-loadable` (invalid) naming table or constraint and no value; `variant-verifier-missing` (unsupported)
   * where such content cannot be loaded here
   */
  verify(material: LoadedVariant, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}
