import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { LogFileRequest } from '../../core/ports/log-files.ts';
import type { LogReading } from '../../core/ports/resource-log.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { syncFolder } from '../../process/sync-folder.ts';
import {
  bytesOf,
  nextSegment,
  planSegment,
  type SegmentPart,
  type SegmentPlan,
  whileReplaced,
  wholeOf,
} from './wal-assembly.ts';
import { requireSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-page.ts';
import { readWalLog, type WalLog } from './wal-pieces.ts';
import { kindOfWalFile } from './wal-position.ts';

/**
 * Files that were fetched along lie beside where the server wants them: on the same disk, so that they need only be renamed,
 * and readable by nobody else. Servers pay no attention to folders there.
 */
const FETCHED = 'holdfast-prefetch';

type Place = Pick<LogFileRequest, 'resourceId' | 'name' | 'destination'>;

/** As `LogFiles.get`. */
export async function getWalFile(log: LogReading, request: LogFileRequest): Promise<'fetched' | 'absent'> {
  return whileReplaced(() => getOnce(log, request));
}

async function getOnce(log: LogReading, request: LogFileRequest): Promise<'fetched' | 'absent'> {
  const { name, destination } = request;
  const kind = requireWalName(name);
  const stored = readWalLog(await log.pieces());
  if (kind !== 'segment') {
    const file = stored.files.findLast((each) => each.name === name);
    if (file === undefined) return 'absent';
    await writeWhole(destination, (handle) => copyParts(log, [wholeOf(file.piece)], handle));
    return 'fetched';
  }
  const plan = planSegment(stored, name, request);
  if (plan.kind === 'absent') {
    // The end of the recovery, as far as can be told.
    await rm(fetchedFolder(request), { recursive: true, force: true });
    return 'absent';
  }
  await writeSegment(log, name, plan, destination);
  await fetchAlong(log, stored, request, plan.segmentBytes);
  return 'fetched';
}

/** As `LogFiles.takeFetched`. */
export async function takeFetchedFile(place: Place): Promise<boolean> {
  requireWalName(place.name);
  const folder = fetchedFolder(place);
  try {
    await rename(path.join(folder, place.name), place.destination);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
  await syncFolder(path.dirname(place.destination));
  return true;
}

function requireWalName(name: string) {
  const kind = kindOfWalFile(name);
  if (kind !== undefined) return kind;
  throw new HoldfastError(
    'invalid',
    'wal-file-unknown',
    `"${name}" is no name of a WAL file. Give %f first and %p second: restore_command = 'holdfast wal-get --resource ID %f %p'.`,
  );
}

function fetchedFolder({ resourceId, destination }: Pick<Place, 'resourceId' | 'destination'>): string {
  return path.join(path.dirname(path.resolve(destination)), FETCHED, encodeURIComponent(resourceId));
}

/** Whole segments only: one that the log ends with may hold more when it is asked for. */
async function fetchAlong(log: LogReading, stored: WalLog, request: LogFileRequest, bytes: number): Promise<void> {
  const folder = fetchedFolder(request);
  const wanted: { name: string; plan: SegmentPlan }[] = [];
  for (let name = nextSegment(request.name, bytes); wanted.length < request.prefetch; name = nextSegment(name, bytes)) {
    const plan = planSegment(stored, name, { upToGap: true });
    if (plan.kind !== 'whole') break;
    wanted.push({ name, plan });
  }
  await forgetOthers(folder, new Set(wanted.map(({ name }) => name)));
  if (wanted.length === 0) return;
  makeFolders(folder, { mode: 0o700 });
  const there = new Set(await readdir(folder));
  // What fails here is told when the server asks for that file.
  await Promise.allSettled(
    wanted
      .filter(({ name }) => !there.has(name))
      .map(({ name, plan }) => writeSegment(log, name, plan, path.join(folder, name))),
  );
}

async function forgetOthers(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (!wanted.has(name)) await rm(path.join(folder, name), { force: true });
}

async function writeSegment(log: LogReading, name: string, plan: SegmentPlan, destination: string): Promise<void> {
  const { start, systemIdentifier, segmentBytes } = plan;
  await writeWhole(destination, async (handle) => {
    await copyParts(log, plan.parts, handle);
    // The server takes zeros for the end of the log, as in a segment that is being written.
    await handle.truncate(segmentBytes);
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await handle.read(header, 0, header.length, 0);
    requireSegmentHeader(header, name, { start, systemIdentifier, segmentBytes });
  });
}

async function copyParts(log: LogReading, parts: readonly SegmentPart[], handle: FileHandle): Promise<void> {
  for await (const bytes of bytesOf(log, parts)) await handle.writeFile(bytes);
}

/** Writes a file under another name first, so that under its own it is whole and durable, or not there. */
async function writeWhole(destination: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const unfinished = `${destination}.${randomBytes(6).toString('hex')}.holdfast`;
  const handle = await open(unfinished, 'wx+', 0o600);
  try {
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, destination);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(destination));
}
