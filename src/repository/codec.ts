import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../core/errors.ts';
import type { Parameters, ZstdContexts } from './zstd-contexts.ts';

/** Codec bytes as they stand in frames and sealed objects. */
export const RAW = 0;
export const GZIP = 1;
export const ZSTD = 2;
export type CodecId = typeof RAW | typeof GZIP | typeof ZSTD;

export interface CodecChoice {
  name: 'raw' | 'gzip' | 'zstd';
  level: number;
}

export interface Encoded {
  codec: CodecId;
  bytes: Uint8Array;
}

/** Compressed bytes are kept only if they are at most this part of the plain ones. */
const WORTH_IT = 0.97;
const PROBE_BYTES = 65_536;

/**
 * Compresses, or gives the bytes back raw where that gains less than 3 %. Of long inputs the first 64 KiB are tried at the
 * fastest level first, so that what does not compress costs little (the `auto` of borg; research: engines.md 6.1).
 *
 * @param contexts what many calls share; the result is then valid until their next use
 * @param isLikely whether it is likely to compress, as what came before it did: nothing is tried first
 */
export function encode(plain: Uint8Array, choice: CodecChoice, contexts?: ZstdContexts, isLikely = false): Encoded {
  if (choice.name === 'raw' || plain.length === 0) return { codec: RAW, bytes: plain };
  if (plain.length > 4 * PROBE_BYTES && !isLikely) {
    const probe = compress(plain.subarray(0, PROBE_BYTES), FASTEST, contexts);
    if (probe.length > PROBE_BYTES * WORTH_IT) return { codec: RAW, bytes: plain };
  }
  const bytes =
    choice.name === 'gzip'
      ? gzipSync(plain, { level: choice.level })
      : compress(plain, zstdParameters(choice.level, plain.length), contexts);
  if (bytes.length > plain.length * WORTH_IT) return { codec: RAW, bytes: plain };
  return { codec: choice.name === 'gzip' ? GZIP : ZSTD, bytes };
}

function compress(plain: Uint8Array, params: Parameters, contexts: ZstdContexts | undefined): Uint8Array {
  return (
    contexts?.compress(plain, params) ??
    zstdCompressSync(plain, { chunkSize: outputBlock(plain.length), params, pledgedSrcSize: plain.length })
  );
}

/**
 * @param plainLength what the result must measure; the decoder never makes more
 * @param contexts what many calls share; the result is then valid until their next use
 * @throws HoldfastError `codec-damaged` (damaged), `codec-unknown` (unsupported)
 */
export function decode(codec: number, bytes: Uint8Array, plainLength: number, contexts?: ZstdContexts): Uint8Array {
  const quickly = codec === ZSTD ? contexts?.decompress(bytes, plainLength) : undefined;
  const plain = quickly ?? decompress(codec, bytes, plainLength);
  if (plain.length !== plainLength) {
    throw new HoldfastError(
      'damaged',
      'codec-damaged',
      `Decompression gave ${plain.length} bytes where ${plainLength} were recorded.`,
    );
  }
  return plain;
}

function decompress(codec: number, bytes: Uint8Array, plainLength: number): Uint8Array {
  // One byte of room more than is needed, or Node.js would make a second block of output only to find that nothing follows.
  const options = { maxOutputLength: Math.max(plainLength, 1), chunkSize: Math.max(plainLength + 1, 64) };
  try {
    switch (codec) {
      case RAW:
        return bytes;
      case GZIP:
        return gunzipSync(bytes, options);
      case ZSTD:
        return zstdDecompressSync(bytes, options);
    }
  } catch (cause) {
    throw new HoldfastError(
      'damaged',
      'codec-damaged',
      'Decompression failed: the compressed bytes are not what was stored.',
      { cause },
    );
  }
  throw new HoldfastError(
    'unsupported',
    'codec-unknown',
    `Codec ${codec} is not known to this version of Holdfast. Use a newer one.`,
  );
}

const FASTEST = { [constants.ZSTD_c_compressionLevel]: 1 };

/**
 * Level 3 finds its matches by tables of 2^17 and 2^16 entries, which fall out of a core's nearest caches and are cleared for each
 * input. With smaller ones it was 4 to 20 % faster here on text, source code and programs, and the results 0.1 to 1 % larger
 * (docs/decisions/0040-zstd-contexts.md).
 */
const SMALL_TABLES = {
  short: { [constants.ZSTD_c_chainLog]: 14, [constants.ZSTD_c_hashLog]: 15 },
  long: { [constants.ZSTD_c_chainLog]: 13, [constants.ZSTD_c_hashLog]: 16 },
};
/** Inputs above this are long. Bytes. */
const LONGEST_SHORT = 262_144;

const parametersOf = new Map<string, Parameters>();
function zstdParameters(level: number, plainLength: number): Parameters {
  const size = plainLength > LONGEST_SHORT ? 'long' : 'short';
  const key = `${level} ${size}`;
  let parameters = parametersOf.get(key);
  if (parameters === undefined) {
    parameters = {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_contentSizeFlag]: 1,
      [constants.ZSTD_c_checksumFlag]: 0,
      ...(level === 3 ? SMALL_TABLES[size] : {}),
    };
    parametersOf.set(key, parameters);
  }
  return parameters;
}

/** Node.js collects output in blocks of this size; one or two of them per input cost least. */
function outputBlock(plainLength: number): number {
  return Math.max(1024, Math.min(plainLength, 524_288));
}
