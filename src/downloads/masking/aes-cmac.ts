import { type Cipheriv, createCipheriv } from 'node:crypto';
import { type ByteValues, viewOf } from './byte-values.ts';

const BLOCK = 16;
/** Bytes of a block that are looked at in one go, and how often that is done. */
const WORD = 4;
const WORDS = BLOCK / WORD;
/** Bytes that tags have. */
export const TAG_BYTES = BLOCK;
/** Bytes of values that are looked at in step; longer ones are looked at one by one. */
const LONGEST_IN_STEP = 256;
/** Bytes of a value that are encrypted at once. */
const PIECE = 64 << 10;

/**
 * CMAC with AES-256 (NIST SP 800-38B, RFC 4493): a pseudorandom function of values of any length. One value costs a call of the cipher, about 0.5 µs. Of many, the
 * first blocks of all are encrypted by one call, then the second ones of those that have a second, and so on: some ten nanoseconds each.
 */
export class AesCmac {
  readonly #blocks: Cipheriv;
  readonly #chain: Cipheriv;
  /** What the chain was left with: CBC adds it to the first block that comes next, so it is taken out again. */
  readonly #chained = new Uint8Array(BLOCK);
  /** K1 for values that end with a block, K2 for all others. */
  readonly #whole: Uint8Array;
  readonly #padded: Uint8Array;
  readonly #piece = new Uint8Array(LONGEST_IN_STEP + BLOCK);
  #input = new Uint8Array(0);
  #inputView = viewOf(this.#input);
  /** For each number of bytes that a block of a value may have, what is added to it: padding and subkey, as four words. */
  readonly #ends: Int32Array;
  /** The last position in the values' memory behind which a whole block stands. */
  #lastWhole = -1;
  readonly #edge = new DataView(new ArrayBuffer(BLOCK));
  #waiting = new Int32Array(0);

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#blocks = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
    this.#chain = createCipheriv('aes-256-cbc', key, NOTHING).setAutoPadding(false);
    this.#whole = doubled(this.#blocks.update(NOTHING));
    this.#padded = doubled(this.#whole);
    this.#ends = endsOf(this.#whole, this.#padded);
  }

  /** Writes the 16 bytes of one value's tag to `out` at `at`. */
  tag(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void {
    const chained = this.#chained;
    let from = start;
    let drawn: Uint8Array;
    for (; end - from > PIECE; from += PIECE) {
      drawn = this.#chain.update(this.#begun(Uint8Array.from(bytes.subarray(from, from + PIECE)), from === start));
      chained.set(drawn.subarray(-BLOCK));
    }
    const blocks = blocksOf(end - from);
    const length = blocks * BLOCK;
    const piece = length <= this.#piece.length ? this.#piece : new Uint8Array(length);
    const last = length - BLOCK;
    for (let index = 0; index < last; index++) piece[index] = bytes[from + index] as number;
    this.#writeLast(bytes, from + last, end, NOTHING, 0, piece, last);
    drawn = this.#chain.update(this.#begun(piece.subarray(0, length), from === start));
    for (let index = 0; index < BLOCK; index++) out[at + index] = chained[index] = drawn[last + index] as number;
  }

  /** Writes the tags of all values to `out`, one after the other. */
  tags({ bytes, view, starts, ends, count }: ByteValues, out: Uint8Array): void {
    if (this.#waiting.length < count) {
      this.#waiting = new Int32Array(count);
      this.#input = new Uint8Array(count * BLOCK);
      this.#inputView = viewOf(this.#input);
    }
    this.#lastWhole = bytes.length - BLOCK;
    const [waiting, input, tags] = [this.#waiting, this.#input, viewOf(out)];
    let left = 0;
    for (let index = 0; index < count; index++) {
      const [start, end] = [starts[index] as number, ends[index] as number];
      if (end - start > LONGEST_IN_STEP) this.tag(bytes, start, end, out, index * BLOCK);
      else {
        this.#writeBlock(view, start, end - start, NOTHING_VIEW, 0, left * BLOCK);
        waiting[left++] = index;
      }
    }
    for (let done = BLOCK; left > 0; done += BLOCK) {
      const drawn = viewOf(this.#blocks.update(input.subarray(0, left * BLOCK)));
      let next = 0;
      for (let place = 0; place < left; place++) {
        const index = waiting[place] as number;
        const [start, end, from] = [(starts[index] as number) + done, ends[index] as number, place * BLOCK];
        if (start >= end) {
          const at = index * BLOCK;
          for (let byte = 0; byte < BLOCK; byte += WORD)
            tags.setInt32(at + byte, drawn.getInt32(from + byte, true), true);
        } else {
          this.#writeBlock(view, start, end - start, drawn, from, next * BLOCK);
          waiting[next++] = index;
        }
      }
      left = next;
    }
  }

  /** The next block of a value of which `left` bytes are left, with what was drawn from those before it. */
  #writeBlock(view: DataView, start: number, left: number, drawn: DataView, from: number, at: number): void {
    if (start >= 0 && start <= this.#lastWhole) this.#writeWords(view, start, left, drawn, from, at);
    else {
      // Memory ends before a block does.
      for (let byte = 0; byte < left; byte++) this.#edge.setUint8(byte, view.getUint8(start + byte));
      this.#writeWords(this.#edge, 0, left, drawn, from, at);
    }
  }

  #writeWords(view: DataView, start: number, left: number, drawn: DataView, from: number, at: number): void {
    const [input, ends] = [this.#inputView, this.#ends];
    const row = Math.min(left, BLOCK + 1) * WORDS;
    for (let word = 0; word < WORDS; word++) {
      const byte = word * WORD;
      const value = view.getInt32(start + byte, true) & (MASKS[row + word] as number);
      input.setInt32(at + byte, value ^ (ends[row + word] as number) ^ drawn.getInt32(from + byte, true), true);
    }
  }

  #writeLast(
    bytes: Uint8Array,
    start: number,
    end: number,
    drawn: Uint8Array,
    from: number,
    out: Uint8Array,
    at: number,
  ): void {
    const length = end - start;
    const key = length === BLOCK ? this.#whole : this.#padded;
    for (let index = 0; index < length; index++)
      out[at + index] = (bytes[start + index] as number) ^ (drawn[from + index] as number) ^ (key[index] as number);
    for (let index = length; index < BLOCK; index++)
      out[at + index] = (index === length ? PADDING : 0) ^ (drawn[from + index] as number) ^ (key[index] as number);
  }

  #begun(piece: Uint8Array, isFirst: boolean): Uint8Array {
    if (isFirst)
      for (let index = 0; index < BLOCK; index++)
        piece[index] = (piece[index] as number) ^ (this.#chained[index] as number);
    return piece;
  }
}

const NOTHING = new Uint8Array(BLOCK);
const NOTHING_VIEW = viewOf(NOTHING);
const PADDING = 0x80;

/** Which bits of four words are a value's, for each number of bytes that it has of a block; in the last row those of a block that others follow. */
const MASKS = new Int32Array((BLOCK + 2) * WORDS);
for (let left = 0; left <= BLOCK + 1; left++)
  for (let byte = 0; byte < Math.min(left, BLOCK); byte++) setByte(MASKS, left, byte, 0xff);

function endsOf(whole: Uint8Array, padded: Uint8Array): Int32Array {
  const ends = new Int32Array((BLOCK + 2) * WORDS);
  for (let left = 0; left <= BLOCK; left++) {
    const key = left === BLOCK ? whole : padded;
    for (let byte = 0; byte < BLOCK; byte++)
      setByte(ends, left, byte, (key[byte] as number) ^ (byte === left ? PADDING : 0));
  }
  return ends;
}

/** Sets a byte of the words of a row, of which the first has the first bytes in its lowest bits. */
function setByte(rows: Int32Array, row: number, byte: number, value: number): void {
  const word = row * WORDS + (byte >> 2);
  rows[word] = (rows[word] as number) | (value << (8 * (byte & 3)));
}

function blocksOf(length: number): number {
  return Math.max(1, Math.ceil(length / BLOCK));
}

/** Twice a number of GF(2^128), as SP 800-38B makes its subkeys. */
function doubled(block: Uint8Array): Uint8Array {
  const bits = BigInt(`0x${Buffer.from(block).toString('hex')}`) << 1n;
  const reduced = bits >> 128n === 0n ? bits : (bits ^ 0x87n) & ((1n << 128n) - 1n);
  return new Uint8Array(Buffer.from(reduced.toString(16).padStart(2 * BLOCK, '0'), 'hex'));
}
