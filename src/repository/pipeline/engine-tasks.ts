import { HoldfastError } from '../../core/errors.ts';
import type { PlannedRange, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
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
import { PageReferenceCollector, type PageReferences } from '../page-references.ts';
import type { ChunkStore } from './chunk-store.ts';
import { type Batch, cutBatch } from './cut-batch.ts';
import { checkPack } from './pack-check.ts';
import type { RangeSource } from './range-source.ts';

/** Work that the engine itself does in worker threads. */
export type EngineTask =
  | { kind: 'cut-batch'; batch: Batch }
  | { kind: 'store-chunks'; bytes: Uint8Array; ends: readonly number[]; ids?: readonly (Uint8Array | undefined)[] }
  | { kind: 'store-pages'; bytes: Uint8Array; ends: readonly number[] }
  | { kind: 'copy-chunks'; range: PlannedRange }
  | { kind: 'read-chunks'; range: PlannedRange }
  | { kind: 'read-pieces'; range: PlannedRange }
  | { kind: 'list-contents'; range: PlannedRange }
  | { kind: 'read-despite-damage'; wanted: readonly { id: Uint8Array; tag: number }[] }
  | { kind: 'check-pack'; key: string; size: number; decode: boolean }
  | { kind: 'list-pack'; key: string };

export interface ReadChunks {
  /** the chunks one after another, in the order of `tags` */
  bytes: Uint8Array<ArrayBuffer>;
  tags: number[];
  ends: number[];
}

/** As `ReadChunks`, each chunk where it was decoded. */
export interface ReadPieces {
  pieces: { tag: number; bytes: Uint8Array<ArrayBuffer> }[];
}

export interface ReadDespiteDamage {
  found: { tag: number; bytes: Uint8Array }[];
  lost: { tag: number; reason: string }[];
}

export interface ListedPack {
  pack: IndexedPack;
  frames: FooterFrame[];
  /** The footer was lost and the frames were found one by one. */
  scanned: boolean;
  complete: boolean;
}

/** What the engine's own tasks use of their session. */
export interface EngineSession extends Pick<TaskContext, 'readDespiteDamage'> {
  readonly storage: Storage;
  readonly source: RangeSource;
  readonly sink: ChunkStore;
}

export function createEngineTasks(session: EngineSession): TaskHandler<unknown, unknown> {
  return {
    handle(payload) {
      const task = payload as EngineTask;
      switch (task.kind) {
        case 'cut-batch':
          return cutBatch(session.sink, task.batch);
        case 'store-chunks':
          return storeEach(session, task, PACK_KIND.data);
        case 'store-pages':
          return storeEach(session, task, PACK_KIND.metadata);
        case 'copy-chunks':
          return copyChunks(session, task.range);
        case 'read-chunks':
          return readChunks(session, task.range);
        case 'read-pieces':
          return readPieces(session, task.range);
        case 'list-contents':
          return listContents(session, task.range);
        case 'read-despite-damage':
          return readAll(session, task.wanted);
        case 'check-pack':
          return checkPack(session.storage, session.source, task);
        case 'list-pack':
          return listPack(session, task.key);
      }
    },
    // What moves is nobody's here any more; shared memory would be kept until this thread's next major collection.
    transferables: (result) =>
      isReadChunks(result)
        ? [result.bytes.buffer]
        : isReadPieces(result)
          ? largeBuffers(result)
          : isListed(result)
            ? [result.ids.buffer]
            : [],
  };
}

function storeEach(
  session: EngineSession,
  task: { bytes: Uint8Array; ends: readonly number[]; ids?: readonly (Uint8Array | undefined)[] },
  kind: 1 | 2,
): ContentSegment[] {
  let start = 0;
  return task.ends.map((end, index) => {
    const id = task.ids?.[index];
    // No copy, which would lie in a pool: with a view of that, all of its 64 KiB would go to the main thread, and stay there.
    const known = id && Buffer.from(id.buffer, id.byteOffset, id.length);
    const segment = session.sink.put(kind, task.bytes.subarray(start, end), known);
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
  const bytes = new Uint8Array(range.plainLength);
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

async function readPieces(session: EngineSession, range: PlannedRange): Promise<ReadPieces> {
  return { pieces: await session.source.readOwned(range) };
}

function isReadPieces(result: unknown): result is ReadPieces {
  return typeof result === 'object' && result !== null && 'pieces' in result;
}

/** Small ones may lie in a pool, which cannot move. */
function largeBuffers({ pieces }: ReadPieces): ArrayBuffer[] {
  const buffers = new Set(pieces.map(({ bytes }) => bytes.buffer));
  return [...buffers].filter(({ byteLength }) => byteLength > Buffer.poolSize);
}

function isReadChunks(result: unknown): result is ReadChunks {
  return typeof result === 'object' && result !== null && 'bytes' in result && 'ends' in result;
}

function isListed(result: unknown): result is PageReferences {
  return typeof result === 'object' && result !== null && 'ids' in result && 'lists' in result;
}

async function listContents(session: EngineSession, range: PlannedRange): Promise<PageReferences> {
  const references = new PageReferenceCollector();
  await session.source.read(range, (_tag, plain) => references.add(plain));
  return references.finish();
}

async function readAll(
  session: EngineSession,
  wanted: readonly { id: Uint8Array; tag: number }[],
): Promise<ReadDespiteDamage> {
  const result: ReadDespiteDamage = { found: [], lost: [] };
  await session.readDespiteDamage(
    wanted,
    (tag, bytes) => result.found.push({ tag, bytes: Uint8Array.from(bytes) }),
    (tag, reason) => result.lost.push({ tag, reason: reason.message }),
  );
  return result;
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
