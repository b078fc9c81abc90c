/** The keys of one table's rows in their order, four to sixteen bytes each. */
export interface KeyList {
  readonly length: number;
  /** A row that has no key here. */
  push(key: null): void;
  isNull(at: number): boolean;
  /** Equal keys have equal hashes; 32 bits, not negative. */
  hashOf(at: number): number;
  equals(at: number, other: KeyList, otherAt: number): boolean;
  /** Frees its memory at once: megabytes would wait for the collector while others are made. */
  free(): void;
}
