import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import { freeMemory } from '../core/freed-memory.ts';
import type { ReusedMemory } from './reused-memory.ts';

/** Cipher bytes as they stand in the headers of packs and sealed objects. */
export const CIPHER_NONE = 0;
export const CIPHER_GCM = 1;
export const CIPHER_CBC_HMAC = 2;
export type CipherId = typeof CIPHER_NONE | typeof CIPHER_GCM | typeof CIPHER_CBC_HMAC;

/** Seals and opens the records of one pack or object, which has a key of its own. A record's ordinal is used once. */
export interface RecordCipher {
  /** Bytes that a record of `plainLength` takes. */
  sealedLength(plainLength: number): number;
  /** Writes the sealed record of the joined parts at `offset`. @returns its length */
  seal(ordinal: number, associated: Uint8Array, parts: readonly Uint8Array[], output: Buffer, offset: number): number;
  /** Whether a record opens to exactly the joined parts; keeps no copy of them. */
  opensTo(ordinal: number, associated: Uint8Array, sealed: Uint8Array, parts: readonly Uint8Array[]): boolean;
  /**
   * @param memory to open to, should the cipher need any; the result is then valid until that is used again
   * @throws HoldfastError `record-forged` (damaged) where the record is not what was sealed under this key and place
   */
  open(ordinal: number, associated: Uint8Array, sealed: Uint8Array, memory?: ReusedMemory): Buffer;
}

export function cipherIdOf(name: 'aes-256-gcm' | 'aes-256-cbc'): CipherId {
  return name === 'aes-256-gcm' ? CIPHER_GCM : CIPHER_CBC_HMAC;
}

/**
 * @param secret the data key of the epoch, 32 bytes
 * @param salt 32 random bytes, never used twice
 * @param purpose separates the keys of packs from those of other objects
 */
export function createRecordCipher(cipher: number, secret: KeyObject, salt: Uint8Array, purpose: string): RecordCipher {
  switch (cipher) {
    case CIPHER_NONE:
      return new PlainRecords();
    case CIPHER_GCM:
      return new GcmRecords(derive(secret, salt, `${purpose} aes-256-gcm`, 32));
    case CIPHER_CBC_HMAC:
      return new CbcHmacRecords(
        derive(secret, salt, `${purpose} aes-256-cbc`, 32),
        derive(secret, salt, `${purpose} aes-256-cbc hmac-sha-256`, 32),
      );
  }
  throw new HoldfastError(
    'unsupported',
    'cipher-unknown',
    `Cipher ${cipher} is not known to this version of Holdfast. Use a newer one.`,
  );
}

/** HKDF-SHA-256 (RFC 5869). */
export function derive(secret: KeyObject | Uint8Array, salt: Uint8Array, info: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length));
}

const TAG = 16;
const IV = 16;
const MAC = 32;
/**
 * Ciphers are fed in slices of this size, and their outputs freed at once: the next ones then lie in the same memory, which is warm
 * in the cache. What waited for the collector instead took 1.4 times as long.
 */
const SLICE = 131072;

/** No secrecy and no tag: for `"encrypt": false`. Chunk ids (HMAC) and the pack's SHA-256 still tell any change. */
class PlainRecords implements RecordCipher {
  sealedLength(plainLength: number): number {
    return plainLength;
  }
  seal(
    _ordinal: number,
    _associated: Uint8Array,
    parts: readonly Uint8Array[],
    output: Buffer,
    offset: number,
  ): number {
    let end = offset;
    for (const part of parts) {
      output.set(part, end);
      end += part.length;
    }
    return end - offset;
  }
  opensTo(_ordinal: number, _associated: Uint8Array, sealed: Uint8Array, parts: readonly Uint8Array[]): boolean {
    const comparison = new Comparison(parts);
    return comparison.takes(sealed) && comparison.isComplete;
  }
  open(_ordinal: number, _associated: Uint8Array, sealed: Uint8Array): Buffer {
    return Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
  }
}

/** AES-256-GCM (NIST SP 800-38D); the nonce is the ordinal, which under a key made for one pack repeats never. */
class GcmRecords implements RecordCipher {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    this.#key = createSecretKey(key);
  }

  sealedLength(plainLength: number): number {
    return plainLength + TAG;
  }

  seal(ordinal: number, associated: Uint8Array, parts: readonly Uint8Array[], output: Buffer, offset: number): number {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(ordinal));
    cipher.setAAD(associated);
    let end = offset;
    for (const part of parts) {
      for (let at = 0; at < part.length; at += SLICE) {
        end += moveTo(output, end, cipher.update(part.subarray(at, at + SLICE)));
      }
    }
    cipher.final();
    output.set(cipher.getAuthTag(), end);
    return end + TAG - offset;
  }

  opensTo(ordinal: number, associated: Uint8Array, sealed: Uint8Array, parts: readonly Uint8Array[]): boolean {
    if (sealed.length < TAG) return false;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(ordinal), { authTagLength: TAG });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    const comparison = new Comparison(parts);
    const end = sealed.length - TAG;
    for (let at = 0; at < end; at += SLICE) {
      const piece = decipher.update(sealed.subarray(at, Math.min(at + SLICE, end)));
      if (!comparison.takes(piece)) return false;
      freeMemory(piece);
    }
    try {
      decipher.final();
    } catch {
      return false;
    }
    return comparison.isComplete;
  }

  open(ordinal: number, associated: Uint8Array, sealed: Uint8Array, memory?: ReusedMemory): Buffer {
    if (sealed.length < TAG) throw forged();
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(ordinal), { authTagLength: TAG });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    const length = sealed.length - TAG;
    const plain = memory?.atLeast(length).subarray(0, length) ?? decipher.update(sealed.subarray(0, length));
    if (memory !== undefined)
      for (let at = 0; at < length; at += SLICE)
        moveTo(plain, at, decipher.update(sealed.subarray(at, Math.min(at + SLICE, length))));
    try {
      decipher.final();
    } catch (cause) {
      throw forged(cause);
    }
    return plain;
  }
}

/** AES-256-CBC with PKCS #7 padding under a random IV, then HMAC-SHA-256 over associated data, ordinal, IV and ciphertext. */
class CbcHmacRecords implements RecordCipher {
  readonly #key: KeyObject;
  readonly #macKey: KeyObject;

  constructor(key: Buffer, macKey: Buffer) {
    this.#key = createSecretKey(key);
    this.#macKey = createSecretKey(macKey);
  }

  sealedLength(plainLength: number): number {
    return IV + (Math.floor(plainLength / 16) + 1) * 16 + MAC;
  }

  seal(ordinal: number, associated: Uint8Array, parts: readonly Uint8Array[], output: Buffer, offset: number): number {
    const iv = randomBytes(IV);
    const cipher = createCipheriv('aes-256-cbc', this.#key, iv);
    output.set(iv, offset);
    let end = offset + IV;
    const append = (piece: Buffer): void => {
      end += moveTo(output, end, piece);
    };
    for (const part of parts) {
      for (let at = 0; at < part.length; at += SLICE) append(cipher.update(part.subarray(at, at + SLICE)));
    }
    append(cipher.final());
    append(this.#mac(ordinal, associated, output.subarray(offset, end)));
    return end - offset;
  }

  opensTo(ordinal: number, associated: Uint8Array, sealed: Uint8Array, parts: readonly Uint8Array[]): boolean {
    const comparison = new Comparison(parts);
    const plain = this.open(ordinal, associated, sealed);
    const isSame = comparison.takes(plain) && comparison.isComplete;
    freeMemory(plain);
    return isSame;
  }

  open(ordinal: number, associated: Uint8Array, sealed: Uint8Array): Buffer {
    if (sealed.length < IV + 16 + MAC) throw forged();
    const body = sealed.subarray(0, sealed.length - MAC);
    if (!timingSafeEqual(this.#mac(ordinal, associated, body), sealed.subarray(sealed.length - MAC))) throw forged();
    const decipher = createDecipheriv('aes-256-cbc', this.#key, body.subarray(0, IV));
    try {
      const most = decipher.update(body.subarray(IV));
      const plain = Buffer.concat([most, decipher.final()]);
      freeMemory(most);
      return plain;
    } catch (cause) {
      throw forged(cause);
    }
  }

  #mac(ordinal: number, associated: Uint8Array, body: Uint8Array): Buffer {
    return createHmac('sha256', this.#macKey).update(associated).update(nonceOf(ordinal)).update(body).digest();
  }
}

/** @returns the length of the piece, which is empty after this */
function moveTo(output: Buffer, at: number, piece: Buffer): number {
  const { length } = piece;
  output.set(piece, at);
  freeMemory(piece);
  return length;
}

/** Compares bytes that come piece by piece with the joined parts. */
class Comparison {
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #offset = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  get isComplete(): boolean {
    while (this.#part < this.#parts.length && this.#offset === this.#parts[this.#part]?.length) this.#next();
    return this.#part === this.#parts.length;
  }

  takes(piece: Uint8Array): boolean {
    for (let at = 0; at < piece.length; ) {
      const part = this.#parts[this.#part];
      if (part === undefined) return false;
      const length = Math.min(piece.length - at, part.length - this.#offset);
      const expected = part.subarray(this.#offset, this.#offset + length);
      if (Buffer.compare(piece.subarray(at, at + length), expected) !== 0) return false;
      at += length;
      this.#offset += length;
      if (this.#offset === part.length) this.#next();
    }
    return true;
  }

  #next(): void {
    this.#part++;
    this.#offset = 0;
  }
}

/** 12 bytes: eight zero bytes and the ordinal, big-endian. */
function nonceOf(ordinal: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(ordinal, 8);
  return nonce;
}

function forged(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'record-forged',
    'A sealed record does not open: its bytes, its place or its key are not those it was sealed with.',
    { cause },
  );
}
