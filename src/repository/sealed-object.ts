import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import { type CodecChoice, decode, encode } from './codec.ts';
import { CIPHER_GCM, CIPHER_NONE, type CipherId, createRecordCipher, derive } from './record-cipher.ts';

/** Kinds of sealed objects; the byte in their header. */
export const SEALED_KIND = {
  snapshot: 1,
  index: 2,
  condemned: 3,
  resolution: 4,
  done: 5,
  trash: 6,
  update: 7,
  session: 8,
  keyring: 9,
  verification: 10,
} as const;
export type SealedKind = (typeof SEALED_KIND)[keyof typeof SEALED_KIND];

export const SEALED_HEADER_LENGTH = 64;
const MAGIC = Buffer.from('HFSO');
const VERSION = 1;
const MAC_LENGTH = 32;
/** No sealed object may claim to be larger than this when decoded. */
const LARGEST_PLAIN = 512 * 1024 * 1024;

/** The secrets that sealed objects and packs are made with: one data key for each key epoch. */
export interface EpochKeys {
  readonly repositoryId: string;
  readonly currentEpoch: number;
  /** @throws HoldfastError `key-epoch-unknown` */
  dataKey(epoch: number): KeyObject;
}

export interface SealOptions {
  kind: SealedKind;
  /** The object's key in the storage, bound into the seal; empty where the name is the hash of the bytes. */
  name: string;
  cipher: CipherId;
  codec: CodecChoice;
}

/**
 * Header of 64 bytes (magic `HFSO`, version, kind, cipher, epoch, repository id, salt, codec, plain length) and one record.
 * With cipher `none` an HMAC-SHA-256 follows, so that a plain snapshot cannot be forged either.
 */
export function sealObject(keys: EpochKeys, plain: Uint8Array, options: SealOptions): Buffer {
  const { codec, bytes } = encode(plain, options.codec);
  const salt = randomBytes(32);
  const secret = keys.dataKey(keys.currentEpoch);
  const records = createRecordCipher(options.cipher, secret, salt, PURPOSE);
  const macLength = options.cipher === CIPHER_NONE ? MAC_LENGTH : 0;
  const output = Buffer.alloc(SEALED_HEADER_LENGTH + records.sealedLength(bytes.length) + macLength);
  MAGIC.copy(output);
  output[4] = VERSION;
  output[5] = options.kind;
  output[6] = options.cipher;
  output[7] = keys.currentEpoch;
  output.write(keys.repositoryId, 8, 'hex');
  salt.copy(output, 24);
  output[56] = codec;
  output.writeUInt32BE(plain.length, 60);
  const associated = associatedData(output, options.name);
  const length = records.seal(0, associated, [bytes], output, SEALED_HEADER_LENGTH);
  const end = SEALED_HEADER_LENGTH + length;
  if (macLength > 0) mac(secret, salt, associated, output.subarray(SEALED_HEADER_LENGTH, end)).copy(output, end);
  return output;
}

/**
 * @throws HoldfastError `object-damaged` (damaged) naming the object, `format-newer` (unsupported), `key-epoch-unknown`
 */
export function openObject(
  keys: EpochKeys,
  sealed: Uint8Array,
  expected: { kind: SealedKind; name: string; key?: string },
): Uint8Array {
  const name = expected.key ?? expected.name;
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
  if (bytes.length < SEALED_HEADER_LENGTH || !bytes.subarray(0, 4).equals(MAGIC)) throw damaged(name);
  if ((bytes[4] as number) > VERSION) {
    throw new HoldfastError(
      'unsupported',
      'format-newer',
      `${name} was written by a newer Holdfast. Nothing is wrong with it: use a newer version.`,
      { details: { object: name } },
    );
  }
  if (bytes[5] !== expected.kind || bytes.toString('hex', 8, 24) !== keys.repositoryId) throw damaged(name);
  const cipher = bytes[6] as number;
  const secret = keys.dataKey(bytes[7] as number);
  const salt = bytes.subarray(24, 56);
  const plainLength = bytes.readUInt32BE(60);
  if (plainLength > LARGEST_PLAIN) throw damaged(name);
  const associated = associatedData(bytes, expected.name);
  try {
    let record = bytes.subarray(SEALED_HEADER_LENGTH);
    if (cipher === CIPHER_NONE) {
      const given = record.subarray(record.length - MAC_LENGTH);
      record = record.subarray(0, record.length - MAC_LENGTH);
      const made = mac(secret, salt, associated, record);
      if (given.length !== MAC_LENGTH || !timingSafeEqual(made, given)) throw damaged(name);
    }
    const opened = createRecordCipher(cipher, secret, salt, PURPOSE).open(0, associated, record);
    return decode(bytes[56] as number, opened, plainLength);
  } catch (cause) {
    if (cause instanceof HoldfastError && cause.kind === 'unsupported') throw cause;
    throw damaged(name, cause);
  }
}

/** Whether a snapshot or other object was sealed without encryption. */
export function isPlainObject(sealed: Uint8Array): boolean {
  return sealed[6] === CIPHER_NONE;
}

/** Seals secrets under another key than an epoch's (the keyring under the master key). */
export function singleKey(repositoryId: string, secret: KeyObject): EpochKeys {
  return { repositoryId, currentEpoch: 0, dataKey: () => secret };
}

export const KEYRING_SEAL = {
  kind: SEALED_KIND.keyring,
  cipher: CIPHER_GCM,
  codec: { name: 'raw', level: 0 },
} as const;

const PURPOSE = 'holdfast object';

function associatedData(bytes: Buffer, name: string): Buffer {
  return Buffer.concat([bytes.subarray(0, SEALED_HEADER_LENGTH), Buffer.from(name)]);
}

function mac(secret: KeyObject, salt: Uint8Array, associated: Uint8Array, record: Uint8Array): Buffer {
  const key = derive(secret, salt, 'holdfast plain object hmac-sha-256', 32);
  return createHmac('sha256', key).update(associated).update(record).digest();
}

function damaged(name: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'object-damaged',
    `${name} is damaged: its bytes are not those that were written. Run \`holdfast verify\` to see what is hit.`,
    {
      cause,
      details: { object: name },
    },
  );
}
