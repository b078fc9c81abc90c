import { hkdfSync } from 'node:crypto';

/**
 * What the outputs of the transformers are for a key and a value. Any change of an output (a word list, an encoding, an order of draws) is another
 * version: it is part of a variant's fingerprint, so that nobody mixes the pseudonyms of two.
 */
export const MASKING_VERSION = 2;

export const KEY_BYTES = 32;

/**
 * The key of one variant of one resource in one epoch, 32 bytes: HKDF-SHA-256 (RFC 5869) from the key that the policy names. Who has a variant of one
 * audience cannot join it with another's, nor with the last epoch's.
 * @param master at least 16 bytes
 * @throws RangeError where the master key is shorter
 */
export function variantKey(
  master: Uint8Array,
  { resource, variant, epoch }: { resource: string; variant: string; epoch: string },
): Uint8Array {
  if (master.length < 16) throw new RangeError('A masking key has 16 bytes or more.');
  return derived(master, ['holdfast/variant/v1', resource, variant, epoch]);
}

/** The key of a domain within a variant, 32 bytes: columns of one domain give equal output for equal input. */
export function domainKey(key: Uint8Array, domain: string): Uint8Array {
  return derived(key, ['holdfast/variant-domain/v1', domain]);
}

/** A key for one purpose within a domain (encryption, say, beside pseudonyms), 32 bytes. */
export function purposeKey(key: Uint8Array, purpose: string): Uint8Array {
  return derived(key, ['holdfast/variant-purpose/v1', purpose]);
}

/** Each part with its length in bytes before it, so that no two lists of parts are encoded alike: `4:shop6:masked`. */
function derived(key: Uint8Array, [label, ...parts]: readonly [string, ...string[]]): Uint8Array {
  const encoded = parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('');
  // RFC 5869 allows no more than 1024 bytes here, OpenSSL at least; names of domains are short, but they are other people's.
  const info = Buffer.from(`${label}|${encoded}`);
  if (info.length > 1024)
    throw new RangeError('The names of resource, variant, epoch and domain are too long together.');
  return new Uint8Array(hkdfSync('sha256', key, Buffer.alloc(0), info, KEY_BYTES));
}
