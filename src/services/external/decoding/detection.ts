export type Encryption = 'none' | 'gpg' | 'age' | 'openssl';
export type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** What the first bytes of a file tell of its encryption. */
export function encryptionOf(head: Uint8Array): Encryption {
  for (const [text, encryption] of ENCRYPTION_TEXTS) if (startsWith(head, Buffer.from(text))) return encryption;
  return isOpenPgpMessage(head) ? 'gpg' : 'none';
}

/** What the first bytes of a file tell of its compression. */
export function compressionOf(head: Uint8Array): Compression {
  for (const [bytes, compression] of COMPRESSION_BYTES) if (startsWith(head, bytes)) return compression;
  return 'none';
}

const AGE_START = 'age-encryption.org/v1\n';
export const AGE_ARMOR_START = '-----BEGIN AGE ENCRYPTED FILE-----';
/** See enc_main of OpenSSL's apps/enc.c. */
export const OPENSSL_START = 'Salted__';

const ENCRYPTION_TEXTS: readonly (readonly [string, Encryption])[] = [
  [AGE_START, 'age'],
  [AGE_ARMOR_START, 'age'],
  [OPENSSL_START, 'openssl'],
  ['-----BEGIN PGP MESSAGE-----', 'gpg'],
];

const COMPRESSION_BYTES: readonly (readonly [Uint8Array, Compression])[] = [
  [Uint8Array.of(0x1f, 0x8b, 0x08), 'gzip'],
  [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), 'zstd'],
  [Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00), 'xz'],
  // "BZh" and a digit begin texts as well; a block's or an empty stream's own number follows.
  ...[...'123456789'].flatMap((level): (readonly [Uint8Array, Compression])[] => [
    [Buffer.concat([Buffer.from(`BZh${level}`), Uint8Array.of(0x31, 0x41, 0x59, 0x26, 0x53, 0x59)]), 'bzip2'],
    [Buffer.concat([Buffer.from(`BZh${level}`), Uint8Array.of(0x17, 0x72, 0x45, 0x38, 0x50, 0x90)]), 'bzip2'],
  ]),
];

function startsWith(head: Uint8Array, start: Uint8Array): boolean {
  return head.length >= start.length && start.every((byte, at) => head[at] === byte);
}

/**
 * Whether a binary OpenPGP message (RFC 9580, section 4.2) starts with a session key for somebody (tag 1, versions 3 and 6) or for
 * a passphrase (tag 3, versions 4 to 6). One that starts otherwise was encrypted in a way that is not safe any more.
 */
function isOpenPgpMessage(head: Uint8Array): boolean {
  const [first, second] = head;
  if (first === undefined || second === undefined || (first & 0x80) === 0) return false;
  const isNew = (first & 0x40) !== 0;
  const tag = isNew ? first & 0x3f : (first >> 2) & 0x0f;
  const version = head[isNew ? newBodyAt(second) : 1 + oldLengthOf(first)];
  if (tag === 1) return version === 3 || version === 6;
  return tag === 3 && (version === 4 || version === 5 || version === 6);
}

function newBodyAt(length: number): number {
  if (length < 192) return 2;
  return length === 255 ? 6 : 3;
}

function oldLengthOf(first: number): number {
  return [1, 2, 4, 0][first & 0x03] ?? 0;
}
