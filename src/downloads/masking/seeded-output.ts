import type { ViewedBytes } from './byte-values.ts';

/** What stands in the place of values whose pseudonyms decide it: it can be made of many values at once, without a string of any. */
export interface SeededOutput {
  /** True where only printable ASCII is written, without backslashes: where quotes mean nothing, it stands as it is. */
  readonly isPlain: boolean;
  /** Whether quotes may be among it; without them, what is plain stands in every notation as it is. */
  readonly hasQuotes: boolean;
  /** Bytes that `write` may touch, at most, for a value of so many bytes. */
  room(length: number): number;
  /** Writes it, in UTF-8, to `out` from `at` on; the position after it. */
  write(value: SeededValue, out: ViewedBytes, at: number): number;
}

/** A value, as UTF-8, and its pseudonym. The same object is used again for the next one. */
export interface SeededValue {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Holds the pseudonym from `seed` on. */
  pseudonyms: Uint8Array;
  seed: number;
}

/** Whether a text is printable ASCII without backslashes. */
export function isPlain(text: string): boolean {
  return /^[ -[\]-~]*$/.test(text);
}

export function hasQuotes(text: string): boolean {
  return /["']/.test(text);
}
