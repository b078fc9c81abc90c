import type { KeyObject } from 'node:crypto';
import { derive } from './record-cipher.ts';

export interface ChunkSizes {
  minimum: number;
  average: number;
  maximum: number;
}

/**
 * Cuts bytes into chunks where their content says so: FastCDC (Xia et al., USENIX ATC 2016) with normalised chunking of
 * level 2, a 32-bit gear hash and no scan of a chunk's first `minimum` bytes. The gear table is derived from a secret of the
 * repository, so that chunk sizes say less of the content to whoever sees them (algorithm `fastcdc-k1`).
 */
export class Chunker {
  readonly sizes: ChunkSizes;
  readonly #gear: Int32Array;
  readonly #maskBefore: number;
  readonly #maskAfter: number;

  constructor(secret: KeyObject | Uint8Array, sizes: ChunkSizes) {
    this.sizes = sizes;
    this.#gear = gearTable(secret);
    const bits = Math.round(Math.log2(sizes.average));
    this.#maskBefore = highBits(bits + 2);
    this.#maskAfter = highBits(bits - 2);
  }

  /**
   * Where the chunk that begins at `start` ends, given bytes up to `end`. A result equal to `end` is a true cut only if
   * `end - start` reaches the maximum or no more bytes follow.
   */
  cut(bytes: Uint8Array, start: number, end: number): number {
    return this.find(bytes, start, end, start) ?? end;
  }

  /**
   * The same for bytes that come piece by piece: looks only at what lies from `seen` on, up to which earlier calls have looked
   * for the end of this chunk. @returns undefined where more bytes are needed to tell
   */
  find(bytes: Uint8Array, start: number, end: number, seen: number): number | undefined {
    const { minimum, average, maximum } = this.sizes;
    const first = start + minimum;
    const limit = Math.min(end, start + maximum);
    const gear = this.#gear;
    let at = Math.max(first, seen);
    let hash = 0;
    for (let before = Math.max(first, at - REMEMBERED); before < Math.min(at, limit); before++)
      hash = ((hash << 1) + (gear[bytes[before] as number] as number)) | 0;
    const middle = Math.min(limit, start + average);
    const before = this.#maskBefore;
    for (; at < middle; at++) {
      hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((hash & before) === 0) return at + 1;
    }
    const after = this.#maskAfter;
    for (; at < limit; at++) {
      hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((hash & after) === 0) return at + 1;
    }
    return limit === start + maximum ? limit : undefined;
  }

  /**
   * Whether a chunk that begins at `start` may end at `end`: the hash holds there, or the maximum is reached. Reads at most the
   * 32 bytes before `end`, and does not say whether the chunk would have ended earlier.
   */
  endsAt(bytes: Uint8Array, start: number, end: number): boolean {
    const { minimum, average, maximum } = this.sizes;
    const length = end - start;
    if (length <= minimum || length >= maximum) return length === maximum;
    let hash = 0;
    for (let at = Math.max(start + minimum, end - 1 - REMEMBERED); at < end; at++)
      hash = ((hash << 1) + (this.#gear[bytes[at] as number] as number)) | 0;
    return (hash & (length <= average ? this.#maskBefore : this.#maskAfter)) === 0;
  }
}

/** Bytes before the one at hand that a hash of 32 bits, moved by one for each, still holds. */
const REMEMBERED = 31;

/** 256 words of 32 bits: HKDF-SHA-256 of the chunker's secret, read big-endian. */
export function gearTable(secret: KeyObject | Uint8Array): Int32Array {
  const bytes = derive(secret, new Uint8Array(0), 'holdfast fastcdc-k1 gear table', 1024);
  return Int32Array.from({ length: 256 }, (_, index) => bytes.readInt32BE(index * 4));
}

/** The oldest history of a gear hash is in its high bits. */
function highBits(count: number): number {
  return (0xffffffff << (32 - count)) | 0;
}
