/** Smaller buffers are copied together. */
const SMALL = 8 << 10;
const BLOCK = 64 << 10;

/** The same bytes in fewer buffers; large ones are not copied. */
export function* joined(buffers: readonly Buffer[]): Generator<Buffer> {
  let small: Buffer[] = [];
  let bytes = 0;
  for (const buffer of buffers) {
    if (buffer.length < SMALL) {
      small.push(buffer);
      bytes += buffer.length;
      if (bytes < BLOCK) continue;
    }
    if (bytes > 0) yield small.length === 1 ? (small[0] ?? buffer) : Buffer.concat(small, bytes);
    small = [];
    bytes = 0;
    if (buffer.length >= SMALL) yield buffer;
  }
  if (bytes > 0) yield Buffer.concat(small, bytes);
}
