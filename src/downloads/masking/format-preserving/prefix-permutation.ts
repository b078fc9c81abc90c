import { type Cipheriv, createCipheriv } from 'node:crypto';

const BLOCK = 16;

/**
 * Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-preserving IP address anonymization, 2002) with AES-256: a permutation of addresses in which two that share their
 * first n bits still share n, and no more. IPv4 and IPv6 want a key each. Who knows some networks by their traffic can tell more of them: it keeps structure on purpose.
 */
export class PrefixPermutation {
  readonly #cipher: Cipheriv;
  /** What stands in a block behind the bits of the address. */
  readonly #pad: Buffer;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
    this.#pad = this.#cipher.update(Buffer.alloc(BLOCK, 0xff));
  }

  /** @param address 4 or 16 bytes */
  of(address: Uint8Array): Uint8Array {
    const bits = address.length * 8;
    const blocks = Buffer.allocUnsafe(bits * BLOCK);
    for (let bit = 0; bit < bits; bit++) {
      const at = bit * BLOCK;
      blocks.set(this.#pad, at);
      const whole = bit >> 3;
      for (let index = 0; index < whole; index++) blocks[at + index] = address[index] ?? 0;
      const mask = 0xff >> (bit & 7);
      blocks[at + whole] = ((address[whole] ?? 0) & ~mask) | ((this.#pad[whole] ?? 0) & mask);
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
