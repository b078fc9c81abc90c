import { createDecipheriv, createHash, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '../../../core/errors.ts';
import { damaged, wrongKey } from './decoding-faults.ts';
import { OPENSSL_START } from './detection.ts';
import { peek } from './peeked-bytes.ts';

/** As they were given to `openssl enc`. */
export interface OpensslSettings {
  /** Default: `aes-256-cbc`. */
  cipher?: 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc';
  /** `pbkdf2` (`-pbkdf2`), or what it does without that option. Default: `pbkdf2`. */
  keyDerivation?: 'pbkdf2' | 'none';
  /** Of pbkdf2 (`-iter`). Default: 10000. */
  iterations?: number;
  /** `-md`. Default: `sha256`. */
  digest?: 'md5' | 'sha1' | 'sha256' | 'sha512';
}

const SALT_LENGTH = 8;
const IV_LENGTH = 16;
const deriveByPbkdf2 = promisify(pbkdf2);

/**
 * Decrypts what `openssl enc -salt` made: `Salted__`, eight bytes of salt, CBC. It has no check of its content: a wrong passphrase
 * and a cut are seen by the padding at the end, in 255 of 256 cases; a changed byte in the middle is not seen at all.
 */
export async function* decryptOpenssl(
  source: AsyncIterable<Uint8Array>,
  { passphrase, ...settings }: OpensslSettings & { passphrase?: string },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const bytes = await peek(source, OPENSSL_START.length + SALT_LENGTH);
  try {
    if (passphrase === undefined) throw wrongKey('It is encrypted by a passphrase, and none is configured.');
    const start = Buffer.from(bytes.head).subarray(0, OPENSSL_START.length + SALT_LENGTH);
    if (start.length < OPENSSL_START.length + SALT_LENGTH) throw damaged('openssl');
    const decipher = await decipherOf(passphrase, start.subarray(OPENSSL_START.length), settings);
    let skipped = start.length;
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      const plain = decipher.update(skipped === 0 ? chunk : chunk.subarray(skipped));
      skipped = 0;
      if (plain.length > 0) yield plain;
    }
    yield lastOf(decipher);
  } finally {
    await bytes.return();
  }
}

type Decipher = ReturnType<typeof createDecipheriv>;

function lastOf(decipher: Decipher): Uint8Array {
  try {
    return decipher.final();
  } catch (cause) {
    const message =
      'The backup cannot be decrypted: the passphrase, cipher, iterations or digest are others than the configured ones, or it is damaged or cut.';
    throw new HoldfastError('damaged', 'external-backup-damaged', message, { cause });
  }
}

async function decipherOf(passphrase: string, salt: Uint8Array, settings: OpensslSettings): Promise<Decipher> {
  const { cipher = 'aes-256-cbc', keyDerivation = 'pbkdf2', iterations = 10_000, digest = 'sha256' } = settings;
  const keyLength = Number(cipher.slice('aes-'.length, -'-cbc'.length)) / 8;
  const length = keyLength + IV_LENGTH;
  const made =
    keyDerivation === 'pbkdf2'
      ? await deriveByPbkdf2(passphrase, salt, iterations, length, digest)
      : deriveByDigest(passphrase, salt, length, digest);
  return createDecipheriv(cipher, made.subarray(0, keyLength), made.subarray(keyLength));
}

/** EVP_BytesToKey(3) with a count of one, which `openssl enc` uses where nothing else is asked for. */
function deriveByDigest(passphrase: string, salt: Uint8Array, length: number, digest: string): Buffer {
  let made = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (made.length < length) {
    last = createHash(digest).update(last).update(passphrase).update(salt).digest();
    made = Buffer.concat([made, last]);
  }
  return made.subarray(0, length);
}
