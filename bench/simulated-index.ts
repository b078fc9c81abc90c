import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ContentSegment } from '../src/core/tree-entry.ts';
import { IndexStore } from '../src/repository/index-store.ts';
import type { Keyring } from '../src/repository/keyring.ts';
import { openKeys } from '../src/repository/open-repository.ts';
import { encodePackHeader, type FooterFrame, PACK_HEADER_LENGTH, PACK_KIND } from '../src/repository/pack-format.ts';
import { CIPHER_GCM } from '../src/repository/record-cipher.ts';
import { decodeSettings, type RepositorySettings } from '../src/repository/settings.ts';
import { randomBlocks } from './data/random-bytes.ts';
import { type EngineAccess, openEngine, recordOf } from './engine-access.ts';

/** Snapshots of a simulated repository; each has an equal part of the chunks for itself. */
export const SNAPSHOTS = 100;
/** So many of them, evenly spread, are forgotten, so that a collection has something to take out of the index. */
export const FORGOTTEN = 10;

const SEED = 40_961;
const ID_BYTES = 32;
/** Of the default settings: chunks of 1 MiB on average in packs of 32 MiB. */
const CHUNK_BYTES = 1_048_576;
const CHUNKS_IN_PACK = 32;
/** Rows after which a writer of a backup writes a segment. */
const ROWS_IN_SEGMENT = 65_536;

/**
 * Fills a new repository with the index of `chunks` chunks of content and with the snapshots that need them. Snapshots, their lists
 * of chunks and the index segments are what a real backup of a terabyte for each million of chunks would leave; only the
 * packs of the content itself are not there, which nothing but a restore or a repacking would read.
 */
export async function simulateChunks(dataFolder: string, chunks: number): Promise<void> {
  const engine = await openEngine(dataFolder);
  try {
    // The lists come first: each backup would read what there is of the index.
    await writeSnapshots(engine, chunks);
    const config = await engine.storage.get('config');
    const settings = decodeSettings(config);
    const { keyring } = await openKeys(engine.storage, settings, config, [engine.provider]);
    await writeSegments(engine, { keyring, settings }, chunks);
  } finally {
    await engine.repository.close();
  }
}

async function writeSnapshots({ repository }: EngineAccess, chunks: number): Promise<void> {
  const ids = chunkIds(chunks);
  const each = Math.ceil(chunks / SNAPSHOTS);
  for (let left = chunks, made = 0; left > 0; left -= each, made++) {
    const segments: ContentSegment[] = [];
    while (segments.length < Math.min(each, left)) segments.push({ id: take(ids), length: CHUNK_BYTES });
    const writer = await repository.beginSnapshot({ encrypt: true });
    const size = segments.length * CHUNK_BYTES;
    const root = { kind: 'stream', length: size, content: await writer.storeSegments(segments) } as const;
    await writer.commit(recordOf(writer, { type: 'full', size, checksum: 'sha256:', root, serviceData: {} }));
    if (made % (SNAPSHOTS / FORGOTTEN) === 0)
      await repository.forgetSnapshot(writer.snapshotId, { trashDays: 0, reason: 'bench' });
  }
}

interface Sealing {
  keyring: Keyring;
  settings: RepositorySettings;
}

async function writeSegments({ storage }: EngineAccess, sealing: Sealing, chunks: number): Promise<void> {
  const ids = chunkIds(chunks);
  for (let left = chunks; left > 0; left -= ROWS_IN_SEGMENT) {
    const packs = [];
    for (let rows = Math.min(left, ROWS_IN_SEGMENT); rows > 0; rows -= CHUNKS_IN_PACK)
      packs.push(simulatedPack(sealing, ids, Math.min(rows, CHUNKS_IN_PACK)));
    // One store for each: what it keeps in memory would only be in the way.
    await new IndexStore(storage, () => sealing.keyring).add(packs);
  }
}

function simulatedPack({ keyring, settings }: Sealing, ids: Iterator<Uint8Array>, chunks: number) {
  const header = encodePackHeader({
    kind: PACK_KIND.data,
    cipher: CIPHER_GCM,
    epoch: keyring.currentEpoch,
    repositoryId: settings.repositoryId,
    salt: randomBytes(32),
  });
  const frames: FooterFrame[] = [];
  let offset = PACK_HEADER_LENGTH;
  for (let index = 0; index < chunks; index++) {
    const length = CHUNK_BYTES + 80;
    frames.push({ offset, length, chunks: [{ id: take(ids), length: CHUNK_BYTES }] });
    offset += length;
  }
  return { idHex: randomBytes(32).toString('hex'), size: offset, header, frames };
}

/** Repeatable and as uniform as real ones, which are keyed hashes. */
function* chunkIds(count: number): Generator<Uint8Array> {
  for (const block of randomBlocks(count * ID_BYTES, SEED))
    for (let at = 0; at < block.length; at += ID_BYTES) yield Uint8Array.from(block.subarray(at, at + ID_BYTES));
}

function take(ids: Iterator<Uint8Array>): Uint8Array {
  const next = ids.next();
  if (next.done === true) throw new Error('There are fewer ids than chunks.');
  return next.value;
}

/** Where the command line keeps the index of a data folder. */
export function indexFolder(dataFolder: string): string {
  return join(dataFolder, 'repository', 'index');
}
