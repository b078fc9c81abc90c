import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { CheckFinding, PlannedRange, TaskHandler } from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { IndexedPack } from '../index-segment.ts';
import {
  decodePackHeader,
  type FooterFrame,
  PACK_HEADER_LENGTH,
  PACK_KIND,
  packIdOf,
  packKey,
} from '../pack-format.ts';
import { footerRecord, type PackOpener, scanFrames } from '../pack-reader.ts';
import type { ChunkStore } from './chunk-store.ts';
import type { RangeSource } from './range-source.ts';

/** Work that the engine itself does in worker threads. */
export type EngineTask =
  | { kind: 'store-chunks'; bytes: Uint8Array; ends: readonly number[] }
  | { kind: 'store-pages'; bytes: Uint8Array; ends: readonly number[] }
  | { kind: 'copy-chunks'; range: PlannedRange }
  | { kind: 'read-chunks'; range: PlannedRange }
  | { kind: 'check-pack'; key: string; size: number; decode: boolean }
  | { kind: 'list-pack'; key: string };

export interface ReadChunks {
  /** the chunks one after another, in the order of `tags` */
  bytes: Uint8Array;
  tags: number[];
  ends: number[];
}

export interface CheckedPack {
  findings: CheckFinding[];
  chunks: number;
  bytes: number;
}

export interface ListedPack {
  pack: IndexedPack;
  frames: FooterFrame[];
  /** The footer was lost and the frames were found one by one. */
  scanned: boolean;
  complete: boolean;
}

/** What the engine's own tasks use of their session. */
export interface EngineSession {
  readonly storage: Storage;
  readonly source: RangeSource;
  readonly sink: ChunkStore;
}

export function createEngineTasks(session: EngineSession): TaskHandler<unknown, unknown> {
  return {
    handle(payload) {
      const task = payload as EngineTask;
      switch (task.kind) {
        case 'store-chunks':
          return storeEach(session, task, PACK_KIND.data);
        case 'store-pages':
          return storeEach(session, task, PACK_KIND.metadata);
        case 'copy-chunks':
          return copyChunks(session, task.range);
        case 'read-chunks':
          return readChunks(session, task.range);
        case 'check-pack':
          return checkPack(session, task);
        case 'list-pack':
          return listPack(session, task.key);
      }
    },
  };
}

function storeEach(
  session: EngineSession,
  task: { bytes: Uint8Array; ends: readonly number[] },
  kind: 1 | 2,
): ContentSegment[] {
  let start = 0;
  return task.ends.map((end) => {
    const segment = session.sink.put(kind, task.bytes.subarray(start, end));
    start = end;
    return segment;
  });
}

/** Stores chunks again that so far lie only in packs about to go. */
async function copyChunks(session: EngineSession, range: PlannedRange): Promise<void> {
  await session.source.read(range, (tag, plain) => {
    session.sink.put(tag === PACK_KIND.metadata ? PACK_KIND.metadata : PACK_KIND.data, plain);
  });
}

async function readChunks(session: EngineSession, range: PlannedRange): Promise<ReadChunks> {
  const bytes = new Uint8Array(new SharedArrayBuffer(range.plainLength));
  const tags: number[] = [];
  const ends: number[] = [];
  let at = 0;
  await session.source.read(range, (tag, plain) => {
    bytes.set(plain, at);
    at += plain.length;
    tags.push(tag);
    ends.push(at);
  });
  return { bytes, tags, ends };
}

async function checkPack(
  session: EngineSession,
  task: { key: string; size: number; decode: boolean },
): Promise<CheckedPack> {
  const findings: CheckFinding[] = [];
  let chunks = 0;
  await session.source.buffers.use(task.size, async (buffer) => {
    const bytes = await session.storage.getRange(task.key, 0, task.size, buffer);
    if (createHash('sha256').update(bytes).digest('hex') !== packIdOf(task.key)) {
      findings.push({
        severity: 'damage',
        code: 'pack-hash-differs',
        object: task.key,
        message: `${task.key} does not have the SHA-256 that it is named after: its bytes changed.`,
      });
    }
    if (!task.decode) return;
    try {
      chunks = decodeWhole(session, task.key, bytes);
    } catch (error) {
      if (!(error instanceof HoldfastError) || !['damaged', 'unsupported', 'wrong-key'].includes(error.kind))
        throw error;
      const severity = error.kind === 'unsupported' ? 'unsupported' : 'damage';
      findings.push({ severity, code: error.code, object: task.key, message: error.message });
    }
  });
  return { findings, chunks, bytes: task.size };
}

function decodeWhole(session: EngineSession, key: string, bytes: Buffer): number {
  // Its own opener: the header is part of a buffer that the next pack is read into.
  const opener = session.source.opener({
    idHex: packIdOf(key) ?? key,
    header: Buffer.from(bytes.subarray(0, PACK_HEADER_LENGTH)),
  });
  let chunks = 0;
  for (const frame of opener.openFooter(footerRecord(bytes, key))) {
    const opened = opener.openFrame(bytes.subarray(frame.offset, frame.offset + frame.length));
    let at = 0;
    for (const { id, length } of opened.chunks) {
      opener.verifyChunk(id, opened.body.subarray(at, at + length));
      at += length;
      chunks++;
    }
    session.source.memory.passed(at * 2);
  }
  return chunks;
}

async function listPack(session: EngineSession, key: string): Promise<ListedPack> {
  const bytes = await session.storage.get(key);
  const header = Buffer.from(bytes.subarray(0, PACK_HEADER_LENGTH));
  decodePackHeader(header, key);
  const idHex = packIdOf(key) ?? '';
  const opener: PackOpener = session.source.opener({ idHex, header });
  const pack = { idHex, size: bytes.length, header };
  try {
    return { pack, frames: opener.openFooter(footerRecord(bytes, packKey(idHex))), scanned: false, complete: true };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind !== 'damaged') throw error;
    const { frames, complete } = scanFrames(bytes, opener);
    return { pack, frames, scanned: true, complete };
  }
}
