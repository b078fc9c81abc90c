/** Bytes, and the same memory as a view of words that begin anywhere. */
export interface ViewedBytes {
  bytes: Buffer;
  view: DataView;
}

/** Values of one column, as bytes that lie in the same memory. */
export interface ByteValues extends ViewedBytes {
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

/** Says in which bytes the values lie. */
export function lieIn(values: ByteValues, bytes: Buffer): void {
  if (values.bytes === bytes) return;
  values.bytes = bytes;
  values.view = viewOf(bytes);
}

export function noValues(): ByteValues {
  const bytes = Buffer.alloc(0);
  return { bytes, view: viewOf(bytes), starts: new Int32Array(0), ends: new Int32Array(0), count: 0 };
}

export function viewed(bytes: Buffer): ViewedBytes {
  return { bytes, view: viewOf(bytes) };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
