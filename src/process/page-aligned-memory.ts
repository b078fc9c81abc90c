/** Places, lengths and memory must be multiples of this for a transfer that goes around the page cache (`O_DIRECT`). Bytes. */
export const PAGE = 4096;

/** What is used of the platform's; the types of Node.js leave it out. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

const aligned = new WeakSet<ArrayBufferLike>();

/**
 * Memory that begins at a page's start, so that files can be read into it and written from it directly. Only WebAssembly
 * promises that of its memories; where none can be had (a limit on address space), ordinary memory serves, by way of the page cache.
 */
export function allocatePageAligned(length: number): Buffer {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(length / WEB_ASSEMBLY_PAGE) });
    aligned.add(memory.buffer);
    return Buffer.from(memory.buffer, 0, length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Buffer.allocUnsafeSlow(length);
  }
}

/** Whether bytes lie in such memory and begin at one of its pages. */
export function isPageAligned(bytes: Uint8Array): boolean {
  return bytes.byteOffset % PAGE === 0 && aligned.has(bytes.buffer);
}

const WEB_ASSEMBLY_PAGE = 65_536;
