import { readSync } from 'node:fs';
import { HoldfastError } from '../../core/errors.ts';
import { type WalChecksum, walChecksum } from './wal-checksum.ts';
import type { WalIndex } from './wal-index.ts';

/** A run of frames of one write-ahead log. */
export interface FrameRange {
  /** The last one before the run; 0: it begins with the log. */
  after: number;
  /** The log's running checksum at `after`; of no use where that is 0. */
  checksum: WalChecksum;
  /** Where it ends, after a commit. */
  index: WalIndex;
}

export interface RunOfFrames {
  /** For each page the last frame that holds it. */
  frames: ReadonlyMap<number, number>;
  /** The fewest pages that the database had after any of its commits. */
  smallestPageCount: number;
}

/**
 * Finds what pages a run of frames holds, and checks each frame: that it belongs to this log and that no byte differs from what
 * was written. https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 * @throws HoldfastError `log-frames-invalid` (conflict)
 */
export function readFrames(descriptor: number, { after, checksum, index }: FrameRange): RunOfFrames {
  const frames = new Map<number, number>();
  let smallestPageCount = index.pageCount;
  if (index.lastFrame === after) return { frames, smallestPageCount };
  const header = readExactly(descriptor, HEADER_BYTES, 0);
  const littleEndian = header.readUInt32BE(0) === LITTLE_ENDIAN_MAGIC;
  const begin = walChecksum(header.subarray(0, 24), littleEndian);
  if (header.toString('hex', 16, 24) !== index.salts || !matches(header, 24, begin)) throw invalid('its header');
  const frameBytes = FRAME_HEADER_BYTES + index.pageSize;
  const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / frameBytes));
  let running = after === 0 ? begin : checksum;
  let commit = 0;
  for (let next = after + 1; next <= index.lastFrame; next += perBlock) {
    const count = Math.min(perBlock, index.lastFrame - next + 1);
    const block = readExactly(descriptor, count * frameBytes, offsetOfFrame(next, index.pageSize));
    for (let at = 0; at < count; at++) {
      const frame = block.subarray(at * frameBytes, (at + 1) * frameBytes);
      running = walChecksum(frame.subarray(0, 8), littleEndian, running);
      running = walChecksum(frame.subarray(FRAME_HEADER_BYTES), littleEndian, running);
      if (frame.toString('hex', 8, 16) !== index.salts || !matches(frame, 16, running))
        throw invalid(`frame ${next + at}`);
      frames.set(frame.readUInt32BE(0), next + at);
      commit = frame.readUInt32BE(4);
      if (commit > 0) smallestPageCount = Math.min(smallestPageCount, commit);
    }
  }
  if (commit !== index.pageCount) throw invalid(`the last frame, ${index.lastFrame}, which ends no transaction`);
  return { frames, smallestPageCount };
}

/** Reads the page that a frame holds, which was checked before. */
export function readFramePage(descriptor: number, frame: number, pageSize: number): Buffer {
  return readExactly(descriptor, pageSize, offsetOfFrame(frame, pageSize) + FRAME_HEADER_BYTES);
}

function offsetOfFrame(frame: number, pageSize: number): number {
  return HEADER_BYTES + (frame - 1) * (FRAME_HEADER_BYTES + pageSize);
}

function matches(bytes: Buffer, offset: number, [first, second]: WalChecksum): boolean {
  return bytes.readUInt32BE(offset) === first && bytes.readUInt32BE(offset + 4) === second;
}

function readExactly(descriptor: number, length: number, offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const read = readSync(descriptor, bytes, done, length - done, offset + done);
    if (read === 0) throw invalid(`byte ${offset + done}, where it ends too soon`);
    done += read;
  }
  return bytes;
}

function invalid(where: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'log-frames-invalid',
    `The write-ahead log does not hold what SQLite says is in it: ${where} is wrong. Something other than SQLite changed it, or its disk fails; check the database with integrity_check.`,
  );
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const LITTLE_ENDIAN_MAGIC = 0x377f0682;
const BLOCK_BYTES = 1024 * 1024;
