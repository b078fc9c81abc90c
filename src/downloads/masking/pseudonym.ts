import { hash } from 'node:crypto';

/** Bytes of a pseudonym: 128 bits. Cut, so that nothing can be appended to a known one (length extension). */
export const PSEUDONYM_BYTES = 16;

const SCRATCH_BYTES = 8192;
const VIEWS = 256;

/** The first 16 bytes of SHA-256(key ‖ 0x00 ‖ value in UTF-8). */
export function pseudonym(key: Uint8Array, value: string): Buffer {
  return Buffer.from(new Pseudonyms(key).of(value), 'latin1');
}

/** Makes pseudonyms with one key, about 0.4 µs each. A lone surrogate counts as U+FFFD: no text of a database has one. */
export class Pseudonyms {
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);
  readonly #start: number;
  /** Of the scratch, by length: to make one costs as much as to write the value. */
  readonly #views = new Array<Uint8Array | undefined>(VIEWS);

  constructor(key: Uint8Array) {
    this.#scratch.set(key);
    this.#start = key.length + 1;
  }

  /** 16 bytes as 16 characters of U+0000 to U+00FF: a string costs half of what a Buffer does. */
  of(value: string): string {
    return this.#digest(value, 'latin1').slice(0, PSEUDONYM_BYTES);
  }

  /** 32 hexadecimal digits. */
  hex(value: string): string {
    return this.#digest(value, 'hex').slice(0, 2 * PSEUDONYM_BYTES);
  }

  #digest(value: string, encoding: 'latin1' | 'hex'): string {
    return hash('sha256', this.#preimage(value), encoding);
  }

  #preimage(value: string): Uint8Array {
    const scratch = this.#scratch;
    if (value.length * 3 > SCRATCH_BYTES - this.#start) {
      return Buffer.concat([scratch.subarray(0, this.#start), Buffer.from(value)]);
    }
    const length = this.#start + scratch.write(value, this.#start, 'utf8');
    if (length >= VIEWS) return new Uint8Array(scratch.buffer, scratch.byteOffset, length);
    this.#views[length] ??= new Uint8Array(scratch.buffer, scratch.byteOffset, length);
    return this.#views[length];
  }
}

/** Crockford's alphabet. */
const CODES = Buffer.from('0123456789abcdefghjkmnpqrstvwxyz');

/** Characters of a pseudonym in `base32`. */
export const BASE32_LENGTH = 26;

/** A pseudonym as 26 digits and small letters, without i, l, o and u (Crockford's alphabet). */
export function base32(bytes: string): string {
  // One string of codes costs less than a chain of short ones.
  for (let at = 0, byte = 0; byte < 15; byte += 5, at += 8) {
    const high = (bytes.charCodeAt(byte) << 12) | (bytes.charCodeAt(byte + 1) << 4) | (bytes.charCodeAt(byte + 2) >> 4);
    const low = (bytes.charCodeAt(byte + 2) << 16) | (bytes.charCodeAt(byte + 3) << 8) | bytes.charCodeAt(byte + 4);
    for (let five = 0; five < 4; five++) {
      written[at + five] = CODES[(high >> (15 - 5 * five)) & 31] ?? 0;
      written[at + five + 4] = CODES[(low >> (15 - 5 * five)) & 31] ?? 0;
    }
  }
  written[24] = CODES[bytes.charCodeAt(15) >> 3] ?? 0;
  written[25] = CODES[(bytes.charCodeAt(15) << 2) & 31] ?? 0;
  return String.fromCharCode(...written);
}

const written: number[] = new Array(BASE32_LENGTH).fill(0);
