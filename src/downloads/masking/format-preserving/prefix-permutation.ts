import { type Cipheriv, createCipheriv } from 'node:crypto';

const BLOCK = 16;

/**
 * A permutation of addresses in which two that share their first n bits still share n, and no more: each bit is flipped by what a cipher makes of the
 * bits before it. That is Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-preserving IP address anonymization, 2002) with AES-256, but for the padding: a prefix is
 * followed by a one and zeros, so that no two prefixes have the same block. Who knows some networks by their traffic can tell more of them: it keeps structure on purpose.
 */
export class PrefixPermutation {
  readonly #cipher: Cipheriv;

  /** @param key 32 bytes, another one for addresses of another length */
  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  }

  /** @param address 4 or 16 bytes */
  of(address: Uint8Array): Uint8Array {
    const bits = address.length * 8;
    const blocks = Buffer.alloc(bits * BLOCK);
    for (let bit = 0; bit < bits; bit++) {
      const at = bit * BLOCK;
      const whole = bit >> 3;
      for (let index = 0; index < whole; index++) blocks[at + index] = address[index] ?? 0;
      const open = 0xff >> (bit & 7);
      blocks[at + whole] = ((address[whole] ?? 0) & ~open) | (0x80 >> (bit & 7));
    }
    const drawn = this.#cipher.update(blocks);
    const result = Uint8Array.from(address);
    for (let bit = 0; bit < bits; bit++) {
      const flip = (drawn[bit * BLOCK] ?? 0) >> 7;
      result[bit >> 3] = (result[bit >> 3] ?? 0) ^ (flip << (7 - (bit & 7)));
    }
    return result;
  }
}
