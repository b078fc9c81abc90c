import { HoldfastError } from '../core/errors.ts';
import { ChunkIdentifier } from './chunk-identifier.ts';
import { decode, RAW } from './codec.ts';
import type { Keyring } from './keyring.ts';
import {
  decodeFooter,
  decodeFrameTable,
  decodePackHeader,
  decodeTrailer,
  FOOTER_MAGIC,
  FOOTER_ORDINAL,
  type FooterFrame,
  FRAME_MAGIC,
  type FrameChunk,
  LARGEST_FRAME,
  PACK_HEADER_LENGTH,
  PACK_TRAILER_LENGTH,
  packDamaged,
  RECORD_HEADER_LENGTH,
  recordAssociatedData,
} from './pack-format.ts';
import { PACK_PURPOSE } from './pack-writer.ts';
import { createRecordCipher, type RecordCipher } from './record-cipher.ts';
import type { ReusedMemory } from './reused-memory.ts';
import type { ZstdContexts } from './zstd-contexts.ts';

/** A frame's chunks and its decoded body, in which they follow one another. */
export interface OpenedFrame {
  chunks: FrameChunk[];
  body: Uint8Array;
  /** The next call with the same contexts writes to the body's memory. */
  isShared: boolean;
}

/** Opens the records of one pack, given its header (from the pack or from the index). */
export class PackOpener {
  readonly key: string;
  readonly #header: Buffer;
  readonly #records: RecordCipher;
  readonly #identifier: ChunkIdentifier;

  /** @throws HoldfastError `pack-damaged`, `format-newer`, `key-epoch-unknown` */
  constructor(key: string, header: Uint8Array, keyring: Keyring) {
    this.key = key;
    this.#header = Buffer.from(header.buffer, header.byteOffset, header.length);
    const { cipher, epoch, repositoryId, salt } = decodePackHeader(this.#header, key);
    if (repositoryId !== keyring.repositoryId) throw packDamaged(key, 'it belongs to another repository');
    this.#records = createRecordCipher(cipher, keyring.dataKey(epoch), salt, PACK_PURPOSE);
    this.#identifier = new ChunkIdentifier(keyring.idKey);
  }

  /**
   * @param record a frame's record header and sealed bytes, exactly
   * @param contexts what many calls share; the body is then valid until their next use
   * @param keep leaves a body that needs no decoder in memory of its own
   */
  openFrame(record: Buffer, contexts?: ZstdContexts, keep = false): OpenedFrame {
    const opened = keep ? undefined : contexts?.opened;
    const plain = this.#openRecord(record, FRAME_MAGIC, opened);
    const table = decodeFrameTable(plain, this.key);
    return {
      chunks: table.chunks,
      body: this.#decode(table.codec, plain.subarray(table.bodyOffset), table.bodyLength, contexts),
      isShared: table.codec === RAW ? opened !== undefined : contexts !== undefined,
    };
  }

  /** Checks that the bytes are the chunk `id`. @throws HoldfastError `pack-damaged` */
  verifyChunk(id: Uint8Array, plain: Uint8Array): void {
    if (!this.#identifier.matches(id, plain))
      throw packDamaged(
        this.key,
        `chunk ${Buffer.from(id).toString('hex')} does not have the content it is named after`,
      );
  }

  openFooter(record: Buffer): FooterFrame[] {
    return decodeFooter(this.#openRecord(record, FOOTER_MAGIC), this.key);
  }

  #openRecord(record: Buffer, magic: number, memory?: ReusedMemory): Buffer {
    if (
      record.length < RECORD_HEADER_LENGTH ||
      record.readUInt32BE(0) !== magic ||
      record.readUInt32BE(8) !== record.length - RECORD_HEADER_LENGTH
    ) {
      throw packDamaged(this.key, 'a record does not begin where it should');
    }
    const ordinal = record.readUInt32BE(4);
    if ((magic === FOOTER_MAGIC) !== (ordinal === FOOTER_ORDINAL))
      throw packDamaged(this.key, 'a record has an impossible ordinal');
    try {
      return this.#records.open(
        ordinal,
        recordAssociatedData(this.#header, magic, ordinal),
        record.subarray(RECORD_HEADER_LENGTH),
        memory,
      );
    } catch (cause) {
      throw packDamaged(this.key, 'a record does not open', cause);
    }
  }

  #decode(codec: number, encoded: Uint8Array, length: number, contexts: ZstdContexts | undefined): Uint8Array {
    try {
      return decode(codec, encoded, length, contexts);
    } catch (cause) {
      if (cause instanceof HoldfastError && cause.kind === 'unsupported') throw cause;
      throw packDamaged(this.key, 'a frame does not decompress', cause);
    }
  }
}

/** The footer's record of a whole pack in memory. @throws HoldfastError `pack-damaged` */
export function footerRecord(pack: Buffer, key: string): Buffer {
  if (pack.length < PACK_HEADER_LENGTH + PACK_TRAILER_LENGTH)
    throw packDamaged(key, 'it is shorter than an empty pack');
  const { footerLength } = decodeTrailer(pack.subarray(pack.length - PACK_TRAILER_LENGTH), key);
  const start = pack.length - PACK_TRAILER_LENGTH - footerLength;
  if (start < PACK_HEADER_LENGTH) throw packDamaged(key, 'its trailer points outside of it');
  return pack.subarray(start, pack.length - PACK_TRAILER_LENGTH);
}

/**
 * Finds the frames of a pack whose footer is lost, one after another from the header on; frames that do not open end the
 * scan at the last good one.
 */
export function scanFrames(pack: Buffer, opener: PackOpener): { frames: FooterFrame[]; complete: boolean } {
  const frames: FooterFrame[] = [];
  let at = PACK_HEADER_LENGTH;
  while (at + RECORD_HEADER_LENGTH <= pack.length && pack.readUInt32BE(at) === FRAME_MAGIC) {
    const length = RECORD_HEADER_LENGTH + pack.readUInt32BE(at + 8);
    if (length > LARGEST_FRAME * 2 || at + length > pack.length) return { frames, complete: false };
    try {
      frames.push({ offset: at, length, chunks: opener.openFrame(pack.subarray(at, at + length)).chunks });
    } catch (error) {
      if (error instanceof HoldfastError && error.kind === 'damaged') return { frames, complete: false };
      throw error;
    }
    at += length;
  }
  return { frames, complete: at + RECORD_HEADER_LENGTH <= pack.length && pack.readUInt32BE(at) === FOOTER_MAGIC };
}
