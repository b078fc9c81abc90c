/** Chosen rows of a table that stand apart from each other, as they go to a thread. */
export interface ChosenBlock {
  /** Rows of the source that the block stands for, those that are not chosen among them. */
  span: number;
  /** Of each chosen row, how many rows of the source stand before it in the block. */
  places: Int32Array;
  /** The chosen rows, one after the other. */
  rows: Uint8Array;
}

/** In memory of its own: the span, the number of places, the places (32 bits each, in the byte order of the processor), and the rows. */
export function chosenBlockBytes({ span, places, rows }: ChosenBlock): Uint8Array<ArrayBuffer> {
  const words = HEADER_WORDS + places.length;
  const bytes = Buffer.allocUnsafeSlow(words * 4 + rows.length);
  const numbers = new Int32Array(bytes.buffer, 0, words);
  numbers[0] = span;
  numbers[1] = places.length;
  numbers.set(places, HEADER_WORDS);
  bytes.set(rows, words * 4);
  return bytes;
}

/** @param bytes as `chosenBlockBytes` made them, at the beginning of their memory */
export function chosenBlock(bytes: Buffer): ChosenBlock {
  const [span = 0, count = 0] = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_WORDS);
  const places = new Int32Array(bytes.buffer, bytes.byteOffset + HEADER_WORDS * 4, count);
  return { span, places, rows: bytes.subarray((HEADER_WORDS + count) * 4) };
}

const HEADER_WORDS = 2;
