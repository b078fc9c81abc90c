import { decode, decodeFirst, encode } from 'cborg';
import { HoldfastError } from '../core/errors.ts';

/**
 * The engine's metadata is CBOR (RFC 8949): maps with text keys, so that a field can be added without a new format and an
 * outsider can read it with any CBOR library. Absent fields are left out, never null or undefined.
 */
export function encodeMetadata(value: unknown): Uint8Array {
  return encode(value, ENCODING);
}

/** @throws HoldfastError `metadata-damaged` (damaged) */
export function decodeMetadata(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, DECODING);
  } catch (cause) {
    throw damaged(cause);
  }
}

/** An item of a sequence with the bytes it was decoded from. */
export interface DecodedItem {
  value: unknown;
  encoded: Uint8Array;
}

/** Decodes a CBOR sequence (RFC 8742). */
export function* decodeMetadataSequence(bytes: Uint8Array): Generator<DecodedItem> {
  for (let at = 0; at < bytes.length; ) {
    const item = decodeFirstMetadata(bytes.subarray(at));
    yield item;
    at += item.encoded.length;
  }
}

/** Decodes the first item of a CBOR sequence. @throws HoldfastError `metadata-damaged` (damaged) */
export function decodeFirstMetadata(bytes: Uint8Array): DecodedItem {
  try {
    const [value, after] = decodeFirst(bytes, DECODING);
    return { value, encoded: bytes.subarray(0, bytes.length - after.length) };
  } catch (cause) {
    throw damaged(cause);
  }
}

/**
 * Every record says which version of itself it is. A higher one is no damage, whatever else of it looks wrong.
 *
 * @throws HoldfastError `format-newer` (unsupported), naming the object
 */
export function refuseNewerVersion(record: unknown, object: string): void {
  if (typeof record !== 'object' || record === null || !('version' in record)) return;
  if (typeof record.version !== 'number' || record.version <= RECORD_VERSION) return;
  throw new HoldfastError(
    'unsupported',
    'format-newer',
    `${object} was written by a newer Holdfast. Nothing is wrong with it: use a newer version.`,
    { details: { object } },
  );
}

const RECORD_VERSION = 1;
const ENCODING = { ignoreUndefinedProperties: true };
const DECODING = {
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  rejectDuplicateMapKeys: true,
};

function damaged(cause: unknown): HoldfastError {
  return new HoldfastError('damaged', 'metadata-damaged', 'Stored metadata is not the CBOR that was written.', {
    cause,
  });
}
