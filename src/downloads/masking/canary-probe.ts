import type { ByteValues } from './byte-values.ts';

/** Told of values while rows are masked, in a worker thread, to find originals that are given all the same. Must not keep what it is given. */
export interface CanaryProbe {
  /** Indexes of the columns whose originals it is told, of every row. */
  readonly traceable: readonly number[];
  /** Indexes of the columns whose outputs it is told, of the rows of watched blocks. */
  readonly watched: readonly number[];
  original(value: string): void;
  /** The same of many, in UTF-8. */
  originals(values: ByteValues): void;
  /** @param column its index; a part of a value (a scalar of JSON, an element of an array) has none */
  output(value: string, column?: number): void;
  /** Whether outputs are looked at, block by block. */
  watches: boolean;
  /** What it noticed since it was last asked. */
  take(): readonly WatchedColumn[];
}

/** What was seen of a column's outputs. Holds no value. */
export interface WatchedColumn {
  column: string;
  /** Values that were looked at. */
  looked: number;
  /** Pairs of numbers that stand for values and words of them; see `CanaryFilter`. */
  hashes: Uint32Array<ArrayBuffer>;
  /** What values looked like that nothing is done to, and how many did. */
  detected: readonly { kind: string; count: number }[];
}
