import { pipeline, Readable } from 'node:stream';
import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { ArchiveFile } from './archive-files.ts';
import { PieceJoiner } from './piece-joiner.ts';
import {
  centralHeader,
  DEFLATED,
  dataDescriptor,
  endOfArchive,
  localHeader,
  NO_BYTES,
  STORED,
  type ZipEntry,
  type ZipSizes,
} from './zip-header.ts';

/** Contents up to this many bytes are packed at once, and their sizes stand before them. */
const SMALL = 256 * 1024;
/** Fastest: a download is waited for, and mostly compressed on its way as well. */
const LEVEL = constants.Z_BEST_SPEED;
const FOR_PACKED = 64 * 1024;

/**
 * A zip archive of files, as they come: modes, symbolic links, and times of modification in seconds. It keeps about a hundred bytes and
 * the name of each file for the directory at its end.
 *
 * @param leaveOut is told of what a zip cannot hold
 * @param largeFrom bytes from which on a file's sizes are written in 8 bytes: what does not pack grows a little
 */
export async function* zipArchive(
  files: AsyncIterable<ArchiveFile>,
  leaveOut: (file: ArchiveFile) => void,
  largeFrom = 0xf0000000,
): AsyncGenerator<Uint8Array> {
  const joiner = new PieceJoiner();
  const directory: Buffer[] = [];
  let offset = 0;
  const given = function* (bytes: Uint8Array): Generator<Uint8Array> {
    offset += bytes.length;
    yield* joiner.add(bytes);
  };
  for await (const file of files) {
    const { entry } = file;
    if (entry.type !== 'file' && entry.type !== 'directory' && entry.type !== 'symlink') {
      leaveOut(file);
      continue;
    }
    const name = Buffer.from(entry.type === 'directory' ? `${file.name}/` : file.name, 'latin1');
    const size = entry.type === 'file' ? (entry.size ?? 0) : 0;
    const plain = { entry, name, offset, isLarge: size >= largeFrom };
    if (size <= SMALL) {
      const { bytes, packed } = packSmall(await contentOf(file));
      const method = packed === bytes ? STORED : DEFLATED;
      const zipped: ZipEntry = { ...plain, method, isStreamed: false };
      const sizes = { crc: crc32(bytes), size: bytes.length, packedSize: packed.length };
      yield* given(localHeader(zipped, sizes));
      yield* given(packed);
      directory.push(centralHeader(zipped, sizes));
    } else {
      const zipped: ZipEntry = { ...plain, method: DEFLATED, isStreamed: true };
      const sizes: ZipSizes = { ...NO_BYTES };
      yield* given(localHeader(zipped, sizes));
      for await (const piece of deflated(file.bytes(), sizes)) yield* given(piece);
      yield* given(dataDescriptor(zipped, sizes));
      directory.push(centralHeader(zipped, sizes));
    }
  }
  const start = offset;
  for (const header of directory) yield* given(header);
  yield* given(endOfArchive(directory.length, start, offset - start));
  yield* joiner.end();
}

async function contentOf({ entry, bytes }: ArchiveFile): Promise<Buffer> {
  if (entry.type === 'symlink') return Buffer.from(entry.target ?? '', 'latin1');
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes()) pieces.push(piece);
  return Buffer.concat(pieces);
}

function packSmall(bytes: Buffer): { bytes: Buffer; packed: Buffer } {
  if (bytes.length === 0) return { bytes, packed: bytes };
  const packed = deflateRawSync(bytes, { level: LEVEL, chunkSize: Math.max(64, bytes.length) });
  return { bytes, packed: packed.length < bytes.length ? packed : bytes };
}

/** Packs bytes and counts them. */
async function* deflated(bytes: AsyncIterable<Uint8Array>, sizes: ZipSizes): AsyncGenerator<Uint8Array> {
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      sizes.crc = crc32(piece, sizes.crc);
      sizes.size += piece.length;
      yield piece;
    }
  };
  const deflate = createDeflateRaw({ level: LEVEL, chunkSize: FOR_PACKED });
  // Whatever goes wrong is thrown by the iteration.
  const packed = pipeline(Readable.from(counted(), { highWaterMark: 1 }), deflate, () => undefined);
  for await (const piece of packed as AsyncIterable<Buffer>) {
    sizes.packedSize += piece.length;
    yield piece;
  }
}
