import { HoldfastError } from '../../../core/errors.ts';
import { damaged, wrongKey } from './decoding-faults.ts';
import { decompress } from './decompression.ts';
import { type Compression, compressionOf, type Encryption, encryptionOf } from './detection.ts';
import { decryptGnupg } from './gnupg.ts';
import { decryptOpenssl, type OpensslSettings } from './openssl.ts';
import { peek } from './peeked-bytes.ts';

export interface DecodeOptions {
  /** `auto`: what the first bytes tell. */
  encryption: Encryption | 'auto';
  /** `auto`: what the first bytes after decryption tell; `none` leaves them as they are. Default: `auto`. */
  compression?: 'auto' | 'none';
  /** Asked for only if the encryption needs it: of gpg (symmetric, or of the private key), age or openssl. One line. */
  passphrase?: () => Promise<string>;
  /** Asked for only if the encryption needs it: an armored OpenPGP secret key, or an age identity file's text. */
  privateKey?: () => Promise<string>;
  openssl?: OpensslSettings;
  /** Where GnuPG keeps its keys meanwhile. Default: in memory, where the system has a folder for that (`/dev/shm`). */
  temporaryFolder?: string;
  /** Plain bytes that are too many for a backup: what goes on after them is taken for a bomb. Default: 4 TiB. */
  mostBytes?: number;
  /** Tells something that the operator must know although the decoding goes on. */
  warn?(message: string): void;
}

/** Plain bytes. Ends without an error only if the source and every stage ended well. Can be read once. */
export interface DecodedStream extends AsyncIterable<Uint8Array> {
  readonly encryption: Encryption;
  readonly compression: Compression;
  /** The first 4 KiB or more of the plain bytes, or all: enough to see what they are. They are among those that are read, too. */
  readonly head: Uint8Array;
  /** Ends all that was begun, where the stream is not read to its end. Does nothing after that. */
  close(): Promise<void>;
}

const HEAD = 4096;
const MOST_BYTES = 2 ** 42;

/**
 * Decrypts and decompresses. Returns when the first plain bytes are there, so that a wrong passphrase is known by then (but for
 * openssl, which cannot tell; see docs/external-decoding.md). Who does not read to the end closes the stream, or aborts.
 *
 * @param source its `return()` is called when nothing more of it is wanted
 * @throws HoldfastError `external-key-wrong` (wrong-key), `external-backup-damaged` (damaged), `external-backup-too-large`
 *   (too-large), `external-tool-missing` (unsupported), and whatever the source throws
 */
export async function decode(
  source: AsyncIterable<Uint8Array>,
  options: DecodeOptions,
  signal: AbortSignal,
): Promise<DecodedStream> {
  const own = new AbortController();
  const until = AbortSignal.any([signal, own.signal]);
  const begun: { return(): Promise<unknown> }[] = [];
  const close = async (): Promise<void> => {
    own.abort(new HoldfastError('cancelled', 'cancelled', 'The download was left before its end.'));
    for (const bytes of begun.toReversed()) await bytes.return();
  };
  const opened = async (bytes: AsyncIterable<Uint8Array>) => {
    const peeked = await peek(bytes, HEAD);
    begun.push(peeked);
    return peeked;
  };
  try {
    signal.throwIfAborted();
    const stored = await opened(source);
    const encryption = encryptionFor(options, stored.head);
    const plain = encryption === 'none' ? stored : await opened(await decrypt(stored, encryption, options, until));
    const compression = options.compression === 'none' ? 'none' : compressionOf(plain.head);
    const content = compression === 'none' ? plain : await opened(decompress(plain, compression, until));
    const bytes = capped(content, options.mostBytes ?? MOST_BYTES, until);
    return {
      ...{ encryption, compression, head: content.head, close },
      [Symbol.asyncIterator]: () => bytes,
    };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw error;
  }
}

function encryptionFor(
  { encryption: wanted, passphrase, privateKey, warn }: DecodeOptions,
  head: Uint8Array,
): Encryption {
  if (head.length === 0) throw damaged('file (it is empty)');
  const found = encryptionOf(head);
  if (wanted === 'none' || wanted === found) return wanted;
  if (wanted !== 'auto') throw wrongKey(`It should be encrypted by ${wanted}, and is not.`);
  if (found === 'none' && (passphrase !== undefined || privateKey !== undefined))
    warn?.('The backup is not encrypted, although a passphrase or key for it is configured.');
  return found;
}

async function decrypt(
  source: AsyncIterable<Uint8Array>,
  encryption: Exclude<Encryption, 'none'>,
  options: DecodeOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const passphrase = await options.passphrase?.();
  const privateKey = encryption === 'openssl' ? undefined : await options.privateKey?.();
  const keys = {
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(privateKey === undefined ? {} : { privateKey }),
  };
  if (encryption === 'gpg') return decryptGnupg(source, { ...keys, folder: options.temporaryFolder }, signal);
  // Its library is large, and every start would read it.
  if (encryption === 'age') return (await import('./age.ts')).decryptAge(source, keys, signal);
  options.warn?.(
    'The backup is encrypted by `openssl enc`, which cannot tell whether it was changed. Prefer age or gpg for the next ones.',
  );
  return decryptOpenssl(source, { ...keys, ...options.openssl }, signal);
}

async function* capped(
  source: AsyncIterable<Uint8Array>,
  most: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = most;
  for await (const chunk of source) {
    signal.throwIfAborted();
    left -= chunk.length;
    if (left < 0) throw tooLarge(most);
    yield chunk;
  }
  signal.throwIfAborted();
}

function tooLarge(most: number): HoldfastError {
  const message = `The backup becomes larger than ${most} bytes when it is unpacked. If that is as it should be, the operator raises \`mostBytes\` of the resource.`;
  return new HoldfastError('too-large', 'external-backup-too-large', message, { details: { mostBytes: most } });
}
