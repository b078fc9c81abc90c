/** Variants are called so. */
export const VARIANT_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** What somebody may download. Whoever has several grants may have what any one of them gives. */
export interface Grant {
  /** Resource ids, or patterns ending in `*`. */
  resources: readonly string[];
  /** Names of variants; `raw`, the data as it was backed up, must be named as well. */
  variants: readonly string[];
  /** RFC 3339; from then on the grant gives nothing. */
  expiresAt?: string;
  /** Only the newest backup. */
  latestOnly?: boolean;
  /** Only backups that are not older. */
  maxAgeDays?: number;
  /** Variants that are given only to who says what for; the audit log keeps it. */
  reasonFor?: readonly string[];
  limits?: DownloadLimits;
}

export interface DownloadLimits {
  downloadsPerHour?: number;
  /** At once. */
  concurrent?: number;
  /** In a day of UTC. */
  bytesPerDay?: number;
}
