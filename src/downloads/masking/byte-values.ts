/** Values of one column, as bytes that lie in the same memory. */
export interface ByteValues {
  bytes: Buffer;
  /** Where each value begins, and where it ends; `ABSENT` where there is none. */
  starts: Int32Array;
  ends: Int32Array;
  /** How many there are; the lists above may be longer. */
  count: number;
}

/** Where a NULL, or a value that stays, begins and ends. */
export const ABSENT = -1;

/** Makes room for as many values; what the lists held is gone. */
export function makeRoom(values: ByteValues, count: number): void {
  values.count = count;
  if (values.starts.length >= count) return;
  values.starts = new Int32Array(count);
  values.ends = new Int32Array(count);
}

export function noValues(): ByteValues {
  return { bytes: Buffer.alloc(0), starts: new Int32Array(0), ends: new Int32Array(0), count: 0 };
}
