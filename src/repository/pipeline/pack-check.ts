import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { CheckFinding } from '../../core/ports/repository-check.ts';
import type { Storage } from '../../core/ports/storage.ts';
import {
  decodeTrailer,
  FOOTER_MAGIC,
  type FooterFrame,
  FRAME_MAGIC,
  LARGEST_FRAME,
  PACK_HEADER_LENGTH,
  PACK_TRAILER_LENGTH,
  packDamaged,
  packIdOf,
  RECORD_HEADER_LENGTH,
} from '../pack-format.ts';
import type { PackOpener } from '../pack-reader.ts';
import type { RangeSource } from './range-source.ts';

export interface CheckedPack {
  findings: CheckFinding[];
  chunks: number;
  bytes: number;
}

/** Bytes read at once; a pack is checked as it streams by, so that memory does not depend on its size. */
const BLOCK = 4 * 1024 * 1024;

/** Reads a pack from end to end: its SHA-256 and, if asked, every frame and chunk and whether the footer lists just them. */
export async function checkPack(
  storage: Storage,
  source: RangeSource,
  task: { key: string; size: number; decode: boolean },
): Promise<CheckedPack> {
  const { key, size } = task;
  const findings: CheckFinding[] = [];
  const hash = createHash('sha256');
  let scan: PackScan | undefined = task.decode ? new PackScan(key, size, source) : undefined;
  let chunks = 0;
  let hashed = 0;
  let at = 0;
  while (hashed < size) {
    const length = Math.min(size - at, Math.max(BLOCK, scan?.needs ?? 0));
    at = await source.buffers.use(length, async (buffer) => {
      const bytes = await storage.getRange(key, at, length, buffer);
      hash.update(bytes.subarray(hashed - at));
      hashed = at + length;
      if (scan === undefined) return hashed;
      try {
        const taken = scan.take(bytes, hashed === size);
        chunks = scan.chunks;
        return at + taken;
      } catch (error) {
        findings.push(toFinding(error, key));
        scan = undefined;
        return hashed;
      }
    });
  }
  if (hash.digest('hex') !== packIdOf(key)) {
    const message = `${key} does not have the SHA-256 that it is named after: its bytes changed.`;
    findings.push({ severity: 'damage', code: 'pack-hash-differs', object: key, message });
  }
  return { findings, chunks, bytes: size };
}

/** Takes a pack's bytes block by block and opens what is whole in each. */
class PackScan {
  chunks = 0;
  /** Bytes that the next block must have at least. */
  needs = PACK_HEADER_LENGTH;
  readonly #key: string;
  readonly #size: number;
  readonly #source: RangeSource;
  readonly #frames: FooterFrame[] = [];
  #opener: PackOpener | undefined;
  #offset = 0;
  #ended = false;

  constructor(key: string, size: number, source: RangeSource) {
    this.#key = key;
    this.#size = size;
    this.#source = source;
  }

  /** @returns how many of the bytes were used; the rest comes again with the next block */
  take(bytes: Buffer, last: boolean): number {
    let at = 0;
    if (this.#opener === undefined) {
      if (bytes.length < PACK_HEADER_LENGTH) throw packDamaged(this.#key, 'it is shorter than a header');
      // A copy: the block's buffer is read into again.
      this.#opener = this.#source.opener({
        idHex: packIdOf(this.#key) ?? this.#key,
        header: Buffer.from(bytes.subarray(0, PACK_HEADER_LENGTH)),
      });
      at = PACK_HEADER_LENGTH;
    }
    this.needs = RECORD_HEADER_LENGTH;
    while (!this.#ended && at + RECORD_HEADER_LENGTH <= bytes.length) {
      const length = RECORD_HEADER_LENGTH + bytes.readUInt32BE(at + 8);
      if (length > LARGEST_FRAME * 2) throw packDamaged(this.#key, 'a record claims an impossible length');
      if (at + length > bytes.length) {
        this.needs = length;
        break;
      }
      this.#record(bytes.subarray(at, at + length), this.#opener, this.#offset + at);
      at += length;
    }
    this.#offset += at;
    if (last) this.#finish(bytes.subarray(at));
    return at;
  }

  #record(record: Buffer, opener: PackOpener, offset: number): void {
    if (record.readUInt32BE(0) === FOOTER_MAGIC) {
      if (!sameFrames(opener.openFooter(record), this.#frames))
        throw packDamaged(this.#key, 'its footer does not list its frames');
      this.#ended = true;
      return;
    }
    if (record.readUInt32BE(0) !== FRAME_MAGIC) throw packDamaged(this.#key, 'a record does not begin where it should');
    const { chunks, body } = opener.openFrame(record, this.#source.contexts);
    let at = 0;
    for (const { id, length } of chunks) {
      opener.verifyChunk(id, body.subarray(at, at + length));
      at += length;
    }
    this.chunks += chunks.length;
    this.#frames.push({
      offset,
      length: record.length,
      chunks: chunks.map(({ id, length }) => ({ id: Uint8Array.from(id), length })),
    });
    this.#source.memory.passed(at);
  }

  #finish(rest: Buffer): void {
    if (!this.#ended) throw packDamaged(this.#key, 'it ends in the middle');
    if (rest.length !== PACK_TRAILER_LENGTH) throw packDamaged(this.#key, 'its trailer is not where it should be');
    const { footerLength, frames } = decodeTrailer(rest, this.#key);
    if (frames !== this.#frames.length || footerLength >= this.#size)
      throw packDamaged(this.#key, 'its trailer does not fit');
  }
}

function sameFrames(listed: readonly FooterFrame[], found: readonly FooterFrame[]): boolean {
  return (
    listed.length === found.length &&
    listed.every((frame, index) => {
      const other = found[index] as FooterFrame;
      return (
        frame.offset === other.offset &&
        frame.length === other.length &&
        frame.chunks.length === other.chunks.length &&
        frame.chunks.every((chunk, position) => {
          const twin = other.chunks[position] as { id: Uint8Array; length: number };
          return chunk.length === twin.length && Buffer.compare(chunk.id, twin.id) === 0;
        })
      );
    })
  );
}

function toFinding(error: unknown, key: string): CheckFinding {
  if (!(error instanceof HoldfastError) || !['damaged', 'unsupported', 'wrong-key'].includes(error.kind)) throw error;
  return {
    severity: error.kind === 'unsupported' ? 'unsupported' : 'damage',
    code: error.code,
    object: key,
    message: error.message,
  };
}
