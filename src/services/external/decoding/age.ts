import { createDecipheriv, hkdfSync, scrypt } from 'node:crypto';
import { Decrypter, type Identity } from 'age-encryption';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import { KeyedLock } from '../../../core/keyed-lock.ts';
import { unarmored } from './age-armor.ts';
import { damaged, wrongKey } from './decoding-faults.ts';
import { AGE_ARMOR_START } from './detection.ts';
import { type PeekedBytes, peek } from './peeked-bytes.ts';

export interface AgeKeys {
  passphrase?: string;
  /** The text of an identity file. */
  privateKey?: string;
}

/** A file for a thousand recipients is smaller. */
const MOST_HEADER = 256 * 1024;
const NONCE_LENGTH = 16;
const TAG_LENGTH = 16;
const PIECE_LENGTH = 64 * 1024 + TAG_LENGTH;

/**
 * Decrypts an age file (https://c2sp.org/age), binary or armored. The header is read by the library of age's author; the payload by
 * node:crypto, which is ten times as fast. Each piece of 64 KiB is known to be genuine before it is given on.
 *
 * @throws HoldfastError `external-key-wrong` (wrong-key), `external-backup-damaged` (damaged)
 */
export async function* decryptAge(
  source: AsyncIterable<Uint8Array>,
  keys: AgeKeys,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stored = await peek(source, AGE_ARMOR_START.length);
  const isArmored = Buffer.from(stored.head).toString('latin1').startsWith(AGE_ARMOR_START);
  const { header, payload } = await splitHeader(isArmored ? unarmored(stored) : stored);
  try {
    const fileKey = await fileKeyOf(header, keys);
    signal.throwIfAborted();
    yield* decryptPayload(payload, fileKey, signal);
  } finally {
    await payload.return();
  }
}

async function splitHeader(source: AsyncIterable<Uint8Array>): Promise<{ header: Buffer; payload: PeekedBytes }> {
  for (let length = 4096; ; length *= 4) {
    const bytes = await peek(source, length);
    const head = Buffer.from(bytes.head);
    const mac = head.indexOf('\n--- ');
    const end = mac === -1 ? -1 : head.indexOf('\n', mac + 1);
    if (end !== -1) return { header: head.subarray(0, end + 1), payload: await after(bytes, end + 1) };
    if (head.length < length || length > MOST_HEADER) {
      await bytes.return();
      throw damaged('age');
    }
    source = bytes;
  }
}

/** The bytes from a place in the head on. */
async function after(bytes: PeekedBytes, offset: number): Promise<PeekedBytes> {
  await bytes.next();
  const rest = bytes.head.subarray(offset);
  const joined = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield rest;
      yield* bytes;
    } finally {
      await bytes.return();
    }
  };
  return peek(joined(), NONCE_LENGTH);
}

async function fileKeyOf(header: Uint8Array, { passphrase, privateKey }: AgeKeys): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  if (passphrase !== undefined) decrypter.addIdentity(passphraseIdentity(passphrase));
  for (const line of identitiesOf(privateKey)) {
    try {
      decrypter.addIdentity(line);
    } catch {
      throw wrongKey('The configured age identity is not one: it wants lines like AGE-SECRET-KEY-1….');
    }
  }
  try {
    return await decrypter.decryptHeader(header);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    // The library tells its errors apart by their messages only.
    if (!messageOf(cause).startsWith('no identity matched')) throw damaged('age', cause);
    const isByPassphrase = Buffer.from(header).includes('\n-> scrypt ');
    throw wrongKey(isByPassphrase ? WRONG_PASSPHRASE : WRONG_IDENTITY);
  }
}

const WRONG_PASSPHRASE = 'It is encrypted by a passphrase, and that is not the configured one.';
const WRONG_IDENTITY = 'It is encrypted for keys, and the configured identity (if any) is none of them.';

/** age-keygen(1): one identity a line, comments with `#`. */
function identitiesOf(text = ''): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** A passphrase costs a quarter of a gigabyte of memory each time that it is tried. */
const oneAtATime = new KeyedLock();

/** The library's own would stop all other work of this process for a second or two. */
function passphraseIdentity(passphrase: string): Identity {
  return {
    unwrapFileKey: async (stanzas) => {
      const [stanza] = stanzas;
      if (stanza === undefined || stanza.args[0] !== 'scrypt') return null;
      const [, salt = '', workFactor = ''] = stanza.args;
      const isValid = stanzas.length === 1 && stanza.args.length === 3 && stanza.body.length === 32;
      if (!isValid || !/^[1-9][0-9]?$/.test(workFactor)) throw damaged('age');
      if (Number(workFactor) > MOST_WORK) {
        throw wrongKey(`Its passphrase would take more than a gigabyte of memory to try (work factor ${workFactor}).`);
      }
      const key = await oneAtATime.run('scrypt', () => derive(passphrase, salt, 2 ** Number(workFactor)));
      return open(key, Buffer.alloc(12), stanza.body);
    },
  };
}

const MOST_WORK = 20;

function derive(passphrase: string, salt: string, cost: number): Promise<Buffer> {
  const labelled = Buffer.concat([Buffer.from('age-encryption.org/v1/scrypt'), Buffer.from(salt, 'base64')]);
  return new Promise((resolve, reject) => {
    scrypt(passphrase, labelled, 32, { N: cost, r: 8, p: 1, maxmem: 1024 * cost + 2 ** 20 }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

async function* decryptPayload(
  payload: PeekedBytes,
  fileKey: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (payload.head.length < NONCE_LENGTH) throw damaged('age');
  const nonce = payload.head.subarray(0, NONCE_LENGTH);
  const key = new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
  const piece = Buffer.allocUnsafeSlow(PIECE_LENGTH);
  let filled = 0;
  let number = 0;
  let skipped = NONCE_LENGTH;
  for await (const chunk of payload) {
    signal.throwIfAborted();
    for (let at = skipped; at < chunk.length; ) {
      // Only what comes after it tells that a full piece is not the last one.
      if (filled === PIECE_LENGTH) {
        yield openPiece(key, number++, false, piece);
        filled = 0;
      }
      const part = chunk.subarray(at, at + PIECE_LENGTH - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
    }
    skipped = 0;
  }
  const last = openPiece(key, number, true, piece.subarray(0, filled));
  if (last.length === 0 && number > 0) throw damaged('age');
  yield last;
}

function openPiece(key: Uint8Array, number: number, isLast: boolean, sealed: Uint8Array): Uint8Array {
  const nonce = Buffer.alloc(12);
  // Eleven bytes of counter, of which six reach further than any file.
  nonce.writeUIntBE(number, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  const plain = open(key, nonce, sealed);
  if (plain === null) throw damaged('age');
  return plain;
}

/** ChaCha20-Poly1305; null where it is not genuine. */
function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_LENGTH) return null;
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(sealed.subarray(-TAG_LENGTH));
  const plain = decipher.update(sealed.subarray(0, -TAG_LENGTH));
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}
