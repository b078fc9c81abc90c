import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { type LocatedChunk, planRanges } from '../chunk-planner.ts';
import { chunkMissing } from '../missing-chunk.ts';
import { PACK_PLAIN, PACK_UNUSABLE } from '../pack-flags.ts';
import { PACK_KIND } from '../pack-format.ts';
import type { ReadChunks } from '../pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from '../pipeline/messages.ts';
import { referencedChunks } from '../referenced-chunks.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { EngineSnapshotWriter } from '../snapshot-writer.ts';

/** Chunks that are planned together; each takes some 200 bytes. */
const CHUNKS_AT_ONCE = 16_384;
/** Chunks of one snapshot remembered as copied; one that is forgotten is read twice and stored once. */
const MOST_REMEMBERED = 1_000_000;

/**
 * Stores those chunks of a snapshot in another repository that it does not have in a pack to rely on. What is read is compared with
 * its id by the source's workers; what is stored is hashed and packed by the target's.
 * @throws HoldfastError `chunk-missing`, `pack-damaged` (damaged): the source misses something
 */
export async function copyChunks(
  source: RepositoryParts,
  target: RepositoryParts,
  options: { record: SnapshotRecord; writer: EngineSnapshotWriter; signal: AbortSignal | undefined },
): Promise<{ chunks: number; bytes: number }> {
  const { record, writer, signal } = options;
  const copied = { chunks: 0, bytes: 0 };
  const absent = wantedChunks(source, record, {
    isWanted: (id) => !isReliable(target, id, record.backup.encrypted),
    onMissing: (id) => {
      throw chunkMissing(id);
    },
  });
  for await (const located of absent) {
    signal?.throwIfAborted();
    await copyLocated(source, located, { writer, signal });
    copied.chunks += located.length;
    for (const { location } of located) copied.bytes += location.length;
  }
  return copied;
}

/**
 * The chunks of a snapshot that are wanted, where they lie in the source, many at a time.
 * @param options.onMissing is told of each that the source lacks
 */
export async function* wantedChunks(
  source: RepositoryParts,
  record: SnapshotRecord,
  options: { isWanted: (id: Uint8Array) => boolean; onMissing: (id: Uint8Array) => void },
): AsyncGenerator<LocatedChunk[]> {
  const seen = new Set<string>();
  let batch: LocatedChunk[] = [];
  for await (const { id, metadata } of referencedChunks(source, record)) {
    const name = Buffer.from(id).toString('latin1');
    if (seen.has(name) || !options.isWanted(id)) continue;
    if (seen.size >= MOST_REMEMBERED) seen.clear();
    seen.add(name);
    const location = source.index.find(id);
    if (location === undefined) {
      options.onMissing(id);
      continue;
    }
    batch.push({ id: Uint8Array.from(id), location, tags: [metadata ? PACK_KIND.metadata : PACK_KIND.data] });
    if (batch.length < CHUNKS_AT_ONCE) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Reads chunks from the source and hands them to a writer of the target. */
export async function copyLocated(
  source: RepositoryParts,
  located: readonly LocatedChunk[],
  { writer, signal }: { writer: EngineSnapshotWriter; signal: AbortSignal | undefined },
): Promise<void> {
  const session = source.pool.openSession(
    { keyring: source.keyring().secrets(), index: source.index.shared },
    source.index.callbacks,
  );
  const ranges = planRanges(located, (number) => source.index.pack(number)).values();
  const lanes = Array.from({ length: source.pool.size + writer.concurrency }, async () => {
    for (const range of ranges) {
      signal?.throwIfAborted();
      const read = (await session.run(ENGINE_MODULE, {}, { kind: 'read-chunks', range })) as ReadChunks;
      // All chunks of a pack are of one kind.
      await writer.storeCopies(read, read.tags[0] === PACK_KIND.metadata);
    }
  });
  try {
    await Promise.all(lanes);
  } finally {
    await session.close(false);
  }
}

/** As a writer judges it: an encrypted backup does not rely on plain packs, and none on packs that go or are bad. */
function isReliable({ index }: RepositoryParts, id: Uint8Array, encrypted: boolean): boolean {
  const refused = encrypted ? PACK_UNUSABLE | PACK_PLAIN : PACK_UNUSABLE;
  return index.table.find(id, ({ pack }) => (index.flagsOf(pack) & refused) === 0);
}
