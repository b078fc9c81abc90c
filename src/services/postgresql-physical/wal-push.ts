import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { PushedFile } from '../../core/ports/log-files.ts';
import type { NewLogPiece, ResourceLog } from '../../core/ports/resource-log.ts';
import { bytesOf, wholeOf } from './wal-assembly.ts';
import { readSegmentHeader, requireSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-page.ts';
import { newFilePiece, newSegmentPiece, readWalLog, type WalLog } from './wal-pieces.ts';
import { kindOfWalFile, type Lsn, parseHistory, segmentStart, type WalFileKind } from './wal-position.ts';

const READY = '.ready';
const LARGEST_SMALL_FILE = 1024 * 1024;

/** As `LogFiles.push`. */
export async function pushWalFile(
  log: ResourceLog,
  file: string,
  { parallel }: { parallel: number },
): Promise<PushedFile> {
  const absolute = path.resolve(file);
  const name = path.basename(absolute);
  const kind = kindOfWalFile(name);
  if (kind === undefined) throw unknownFile(name);
  const stored = readWalLog(await log.pieces());
  const waiting = parallel > 1 ? await waitingBehind(absolute, parallel - 1) : [];
  const [own, ...along] = await Promise.allSettled([
    pushOne(log, stored, absolute),
    ...waiting.map((other) => pushOne(log, stored, other)),
  ]);
  if (own?.status === 'rejected') throw own.reason;
  // The others' failures are told when the server hands them over by themselves.
  const others = waiting.filter((_, index) => along[index]?.status === 'fulfilled').map((each) => path.basename(each));
  return { wasStored: own?.value === true, others };
}

/** Segments that the server has marked as complete, in its order. */
async function waitingBehind(file: string, most: number): Promise<string[]> {
  const folder = path.dirname(file);
  const marks = await readdir(path.join(folder, 'archive_status')).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  return marks
    .filter((mark) => mark.endsWith(READY))
    .map((mark) => mark.slice(0, -READY.length))
    .filter((name) => kindOfWalFile(name) === 'segment' && name > path.basename(file))
    .sort()
    .slice(0, most)
    .map((name) => path.join(folder, name));
}

/** @returns whether it was stored before */
async function pushOne(log: ResourceLog, stored: WalLog, file: string): Promise<boolean> {
  const name = path.basename(file);
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const kind = kindOfWalFile(name);
    if (kind === 'segment') return await pushSegment(log, stored, { name, size, handle });
    return await pushWhole(log, stored, { name, size, handle, kind });
  } finally {
    await handle.close();
  }
}

interface OpenFile {
  name: string;
  size: number;
  handle: FileHandle;
}

async function pushSegment(log: ResourceLog, stored: WalLog, { name, size, handle }: OpenFile): Promise<boolean> {
  const header = await readAt(handle, 0, Math.min(size, SEGMENT_HEADER_BYTES));
  const systemIdentifier = clusterOf(stored) ?? readSegmentHeader(header)?.systemIdentifier ?? '';
  const { timeline, start } = isSegmentSize(size) ? segmentStart(name, size) : { timeline: 0, start: 0n };
  requireSegmentHeader(header, name, { start, systemIdentifier, segmentBytes: size });
  const sha256 = await digestOf(chunksOf(handle, size));
  const there = stored.bySegment.get(name)?.find(({ isPartial }) => !isPartial);
  if (there !== undefined) {
    if ((there.sha256 ?? (await digestOf(bytesOf(log, [wholeOf(there.piece)])))) === sha256) return true;
    throw otherFile(name);
  }
  const about = { timeline, systemIdentifier, segmentBytes: size, start, end: start + BigInt(size), sha256 };
  await log.append(newSegmentPiece({ ...about, isPartial: false, level: 0 }, chunksOf(handle, size)));
  return false;
}

/** As initdb allows them; another size would make nonsense of the name. */
const isSegmentSize = (size: number): boolean =>
  size >= 1024 ** 2 && size <= 1024 ** 3 && Number.isInteger(Math.log2(size));

async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const each of bytes) hash.update(each);
  return hash.digest('hex');
}

/** Histories and backups' labels are small; an old primary's last segment is stored as what it is called. */
async function pushWhole(
  log: ResourceLog,
  stored: WalLog,
  { name, size, handle, kind }: OpenFile & { kind: WalFileKind | undefined },
): Promise<boolean> {
  if (kind !== 'partial-segment' && size > LARGEST_SMALL_FILE) throw unknownFile(name);
  const sha256 = await digestOf(chunksOf(handle, size));
  const there = stored.files.find((each) => each.name === name);
  if (there !== undefined && there.sha256 !== sha256) throw otherFile(name);
  if (there !== undefined) return true;
  const content: NewLogPiece['content'] = chunksOf(handle, size);
  const at = await placeOf(name, kind, handle, size, stored);
  const about = { name, timeline: Number.parseInt(name.slice(0, 8), 16), sha256, at };
  const systemIdentifier = clusterOf(stored) ?? '';
  await log.append(
    newFilePiece({ ...about, kind: kind === 'history' ? 'history' : 'file', systemIdentifier }, content),
  );
  return false;
}

async function placeOf(
  name: string,
  kind: WalFileKind | undefined,
  handle: FileHandle,
  size: number,
  stored: WalLog,
): Promise<Lsn> {
  if (kind === 'history') return parseHistory((await readAt(handle, 0, size)).toString()).at(-1)?.end ?? 0n;
  const segmentBytes = kind === 'partial-segment' ? size : stored.segments[0]?.segmentBytes;
  return segmentBytes === undefined ? 0n : segmentStart(name.slice(0, 24), segmentBytes).start;
}

const clusterOf = ({ segments }: WalLog): string | undefined => segments[0]?.systemIdentifier;

async function* chunksOf(handle: FileHandle, size: number): AsyncGenerator<Buffer> {
  const step = 1024 * 1024;
  for (let offset = 0; offset < size; offset += step) yield readAt(handle, offset, Math.min(step, size - offset));
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await handle.read(bytes, read, length - read, offset + read);
    if (bytesRead === 0)
      throw new HoldfastError('invalid', 'wal-file-short', 'A WAL file became shorter while it was read.');
    read += bytesRead;
  }
  return bytes;
}

function unknownFile(name: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'wal-file-unknown',
    `"${name}" is no file of the WAL. Give its path: archive_command = 'holdfast wal-push --resource ID %p'.`,
  );
}

function otherFile(name: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'wal-file-differs',
    `The log has another ${name} than this one. Two servers write to the log of one resource, or this one was set back to an earlier state. Make a resource of its own for it. Nothing was overwritten.`,
    { details: { file: name } },
  );
}
