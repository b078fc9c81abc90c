/** Told of values while rows are masked, in a worker thread: it notes originals in memory that all threads share. Must not keep what it is given. */
export interface CanaryProbe {
  /** The value of a traceable column, before it is masked. */
  original(value: string): void;
  /** What stands in its place. */
  output(value: string): void;
}
