import type { Storage } from '../../core/ports/storage.ts';
import { isLoss } from '../content-list.ts';
import { FRAME_MAGIC, LARGEST_FRAME, PACK_HEADER_LENGTH, RECORD_HEADER_LENGTH } from '../pack-format.ts';
import type { PackOpener } from '../pack-reader.ts';

export interface SalvagedChunk {
  id: Uint8Array;
  plain: Uint8Array;
}

/**
 * The chunks of a damaged pack that are still what their ids say. Goes from frame to frame; where one does not open, on to the
 * next place that looks like one, so that a damaged frame, length or footer costs what it held and nothing behind it.
 */
export function* salvageChunks(pack: Buffer, opener: PackOpener): Generator<SalvagedChunk[]> {
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(FRAME_MAGIC);
  // Bytes that merely look like a frame's beginning must not make this quadratic.
  let tries = pack.length * TRIES;
  let at = pack.indexOf(magic, PACK_HEADER_LENGTH);
  while (at >= 0 && at + RECORD_HEADER_LENGTH <= pack.length && tries > 0) {
    const length = RECORD_HEADER_LENGTH + pack.readUInt32BE(at + 8);
    const chunks = length > LARGEST_FRAME * 2 ? undefined : openedChunks(pack.subarray(at, at + length), opener);
    if (chunks !== undefined) yield chunks;
    else tries -= Math.min(length, pack.length - at);
    at = pack.indexOf(magic, chunks === undefined ? at + magic.length : at + length);
  }
}

/** Reads a pack piece by piece, where reading it at once fails: unreadable pieces become zeros. */
export async function readAround(storage: Storage, key: string, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += PIECE) {
    const length = Math.min(PIECE, size - at);
    try {
      bytes.set(await storage.getRange(key, at, length), at);
    } catch (error) {
      if (!isLoss(error)) throw error;
    }
  }
  return bytes;
}

const TRIES = 8;
const PIECE = 65_536;

function openedChunks(record: Buffer, opener: PackOpener): SalvagedChunk[] | undefined {
  try {
    const { chunks, body } = opener.openFrame(record);
    const found: SalvagedChunk[] = [];
    let start = 0;
    for (const { id, length } of chunks) {
      const plain = body.subarray(start, start + length);
      start += length;
      if (isChunk(opener, id, plain)) found.push({ id: Uint8Array.from(id), plain });
    }
    return found;
  } catch (error) {
    if (!isLoss(error)) throw error;
    return undefined;
  }
}

function isChunk(opener: PackOpener, id: Uint8Array, plain: Uint8Array): boolean {
  try {
    opener.verifyChunk(id, plain);
    return true;
  } catch (error) {
    if (!isLoss(error)) throw error;
    return false;
  }
}
