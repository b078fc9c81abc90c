/**
 * Frees megabytes at once that nobody looks at any more, and which would wait for the collector while the next megabytes are made. Only
 * memory that these bytes have for themselves; they are empty after that.
 */
export function freeMemory({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && !buffer.detached) buffer.transfer(0);
}
