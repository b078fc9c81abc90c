/** Values of one column, as bytes that lie in the same memory. */
export interface ByteValues {
  bytes: Uint8Array;
  /** Where each value begins, and where it ends. */
  starts: Int32Array;
  ends: Int32Array;
  /** How many there are; the lists above may be longer. */
  count: number;
}
