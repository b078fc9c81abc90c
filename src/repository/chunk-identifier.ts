import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Names chunks: HMAC-SHA-256 (RFC 2104) of their plain bytes under the repository's id key; 32 bytes. */
export class ChunkIdentifier {
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  identify(plain: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(plain).digest();
  }

  matches(id: Uint8Array, plain: Uint8Array): boolean {
    return timingSafeEqual(this.identify(plain), id);
  }
}
