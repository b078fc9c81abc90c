import { createReadStream } from 'node:fs';
import { type FileHandle, link, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf, systemErrorCode } from '../../../core/errors.ts';
import { isProcessAlive, ownProcess } from '../../../process/process-owner.ts';
import { syncFolder } from '../../../process/sync-folder.ts';
import type { Content } from './snapshot-server.ts';
import { VerifiedContent } from './verified-content.ts';

export interface FilePull {
  /** Absolute. */
  file: string;
  overwrite: boolean;
  signal: AbortSignal;
  /** Names what is asked for: what another request began is not gone on with. */
  request: string;
  fetch(from?: { offset: number; etag: string }): Promise<Content>;
  /** @param content what is written now */
  onBytes(bytes: number, content: Content): void;
  onResume(offset: number): void;
}

/** What lies beside an unfinished file. */
interface Unfinished {
  request: string;
  /** null where it cannot be gone on with. */
  etag: string | null;
  /** The process that writes it, or did. */
  owner: string;
}

const MOST_TRIES = 5;
const PAUSE_MILLISECONDS = 500;

/**
 * Writes content to a file, which appears whole, verified and durable, or not at all. What is unfinished lies beside it as
 * `FILE.part`, with its tag in `FILE.part.json`; a later pull of the same goes on there, if the server still has the same bytes. Where
 * the connection breaks, so does this one, up to five times without any progress.
 *
 * @throws HoldfastError `output-exists` (conflict), `pull-under-way` (conflict), `output-unwritable` (invalid), `download-cut` (damaged)
 */
export async function pullToFile(pull: FilePull): Promise<{ bytes: number; hasDigest: boolean; content: Content }> {
  const part = `${pull.file}.part`;
  if (!pull.overwrite && (await sizeOf(pull.file)) !== undefined) throw exists(pull.file);
  const file = await openPart(part, pull.request);
  try {
    const whole = await fill(file, part, pull);
    await file.sync();
    await publish(part, pull);
    return whole;
  } catch (error) {
    if (!(await canGoOn(part))) await forget(part);
    throw error;
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, part: string, pull: FilePull) {
  let cut: HoldfastError | undefined;
  for (let [tries, best] = [1, -1]; ; tries++) {
    const begun = await unfinished(part, pull.request);
    if (begun !== undefined && tries === 1) pull.onResume(begun.offset);
    try {
      return await attempt(file, part, begun, pull);
    } catch (error) {
      const size = (await canGoOn(part)) ? ((await sizeOf(part)) ?? 0) : -1;
      if (size > best) tries = 1;
      best = Math.max(best, size);
      const isPassing = error instanceof HoldfastError && PASSING.has(error.code);
      if (isPassing && error.code === 'download-cut') cut = error;
      // That nobody answers any more says less than that there was content.
      if (!isPassing || size <= 0 || tries >= MOST_TRIES) throw isPassing ? (cut ?? error) : error;
      await sleep(PAUSE_MILLISECONDS * tries, undefined, { signal: pull.signal }).catch(() => undefined);
      pull.signal.throwIfAborted();
    }
  }
}

const PASSING = new Set(['download-cut', 'server-unreachable']);

async function attempt(
  file: FileHandle,
  part: string,
  begun: { offset: number; etag: string } | undefined,
  pull: FilePull,
): Promise<{ bytes: number; hasDigest: boolean; content: Content }> {
  const content = await fetched(begun, pull);
  if (content.offset !== (begun?.offset ?? 0) && content.offset !== 0) throw strangeRange();
  const verified = new VerifiedContent();
  if (content.offset === 0) await begin(file, part, content, pull.request);
  else for await (const piece of createReadStream(part, { end: content.offset - 1 })) verified.add(piece as Uint8Array);
  for await (const piece of content.bytes) {
    await writeAll(file, piece, verified.bytes);
    verified.add(piece);
    pull.onBytes(verified.bytes, content);
  }
  try {
    return { bytes: verified.bytes, hasDigest: verified.verify(content), content };
  } catch (error) {
    // What is there in full and is not what was announced will never be.
    if (verified.bytes >= (content.length ?? 0)) await forget(part);
    throw error;
  }
}

/** Where the server has nothing behind what is there, the beginning is asked for again. */
async function fetched(begun: { offset: number; etag: string } | undefined, pull: FilePull): Promise<Content> {
  try {
    return await pull.fetch(begun);
  } catch (error) {
    if (begun === undefined || !(error instanceof HoldfastError) || error.details.status !== 416) throw error;
    return pull.fetch();
  }
}

async function begin(file: FileHandle, part: string, content: Content, request: string): Promise<void> {
  await file.truncate(0);
  await note(part, { request, etag: content.acceptsRanges ? (content.etag ?? null) : null });
}

async function note(part: string, what: Partial<Unfinished>): Promise<void> {
  await writeFile(`${part}.json`, JSON.stringify({ ...what, owner: ownProcess() }), { mode: 0o600 });
}

async function writeAll(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await file.write(piece, done, piece.length - done, position + done);
    done += bytesWritten;
  }
}

/** What an earlier pull of the same left. */
async function unfinished(part: string, request: string): Promise<{ offset: number; etag: string } | undefined> {
  const [noted, offset = 0] = [await noteOf(part), await sizeOf(part)];
  if (noted?.request !== request || typeof noted.etag !== 'string' || offset === 0) return undefined;
  return { offset, etag: noted.etag };
}

async function canGoOn(part: string): Promise<boolean> {
  return typeof (await noteOf(part))?.etag === 'string';
}

async function noteOf(part: string): Promise<Partial<Unfinished> | undefined> {
  try {
    return JSON.parse(await readFile(`${part}.json`, 'utf8')) as Partial<Unfinished>;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function publish(part: string, { file, overwrite }: FilePull): Promise<void> {
  if (overwrite) await rename(part, file);
  else {
    try {
      // A link, unlike a rename, does not replace what is there.
      await link(part, file);
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') throw exists(file);
      throw error;
    }
  }
  await forget(part);
  await syncFolder(path.dirname(file));
}

async function forget(part: string): Promise<void> {
  for (const file of [`${part}.json`, part]) await rm(file, { force: true });
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function openPart(part: string, request: string): Promise<FileHandle> {
  const isThere = (await sizeOf(part)) !== undefined;
  const noted = await noteOf(part);
  if (isThere && noted === undefined) throw exists(part);
  if (noted?.owner !== undefined && isProcessAlive(noted.owner)) throw underWay(part);
  try {
    await note(part, isThere ? { ...noted } : { request, etag: null });
    // Neither truncated, because it may be gone on with, nor in append mode, which would ignore positions.
    return await open(part, isThere ? 'r+' : 'wx+', 0o600);
  } catch (error) {
    throw new HoldfastError('invalid', 'output-unwritable', `The output cannot be written: ${messageOf(error)}.`);
  }
}

function exists(file: string): HoldfastError {
  const message = `${file} exists and was left as it is. Name another file, or replace it with --conflict overwrite.`;
  return new HoldfastError('conflict', 'output-exists', message);
}

/** Two that write one file would each take what the other one wrote for its own. */
function underWay(part: string): HoldfastError {
  const message = `${part} is being written by another "holdfast pull". Wait until that has ended, or name another file.`;
  return new HoldfastError('conflict', 'pull-under-way', message);
}

function strangeRange(): HoldfastError {
  const message =
    'The server gave another range than the one that was asked for. Something between changes its answers.';
  return new HoldfastError('unavailable', 'server-strange', message);
}
