import type { MissingContent } from '../../core/ports/repository-repair.ts';
import type { LostEntries, SnapshotRecord } from '../../core/snapshot-record.ts';
import {
  type ByteString,
  type Content,
  type ContentSegment,
  comparePaths,
  type MissingRange,
  type TreeEntry,
} from '../../core/tree-entry.ts';
import { contentSegments, isLoss } from '../content-list.ts';
import { decodeMetadataSequence } from '../metadata-encoding.ts';
import { decodeTreePage } from '../tree-entry-codec.ts';
import { decodeTreeIndex, type TreePage } from '../tree-index.ts';

export interface ChunkAccess {
  /** One chunk's verified bytes, valid until the next call. */
  readChunk(id: Uint8Array): Promise<Uint8Array>;
  /** Whether a chunk is nowhere that it can be read from. */
  isLost(id: Uint8Array): boolean;
}

/** A content of which something is lost. */
export interface HurtContent {
  /** All segments; lost ones are holes. */
  segments: ContentSegment[];
  /** What is lost, whether it was recorded before or not. */
  missing: MissingRange[];
  /** Something of it is not recorded yet. */
  isNews: boolean;
}

/** An entry that was read, and the bytes that it was read from. */
export interface WalkedEntry {
  entry: TreeEntry;
  encoded: Uint8Array;
  hurt: HurtContent | undefined;
}

/** What a walk through a tree gives, in order of paths. */
export type WalkedPart = { entries: WalkedEntry[] } | { lost: LostEntries; isNews: boolean };

/** @returns undefined for a content that is whole */
export async function hurtOf(content: Content, chunks: ChunkAccess): Promise<HurtContent | undefined> {
  if ('inline' in content) return undefined;
  const hurt: HurtContent = { segments: [], missing: [], isNews: false };
  let offset = 0;
  const readPage = (id: Uint8Array): Promise<Uint8Array> => chunks.readChunk(id);
  for await (const { id, length, missing } of contentSegments(content, readPage, () => false, 'unreadable')) {
    const isLost = missing === true || (id !== null && chunks.isLost(id));
    if (isLost && !isRecorded(content, offset, length)) hurt.isNews = true;
    if (!isLost) hurt.segments.push({ id, length });
    else addMissing(hurt, offset, length);
    offset += length;
  }
  return hurt.missing.length === 0 ? undefined : hurt;
}

/** Goes through all of a tree that can be read, and tells of the parts that cannot. */
export async function* walkTree(record: SnapshotRecord, chunks: ChunkAccess): AsyncGenerator<WalkedPart> {
  const { root } = record;
  if (root.kind !== 'tree') return;
  const recorded = root.lost ?? [];
  const lostEarlier = recorded.values();
  let earlier = lostEarlier.next().value;
  let last: ByteString = '';
  for (const row of await readableIndex(root.content, chunks)) {
    const until = row.page?.firstPath;
    while (earlier !== undefined && (until === undefined || comparePaths(earlier.from, until) < 0)) {
      yield { lost: earlier, isNews: false };
      earlier = lostEarlier.next().value;
    }
    const entries = row.page === undefined ? undefined : await readPage(row.page, chunks);
    if (entries === undefined) {
      const from = row.page?.firstPath ?? last;
      const count = row.page === undefined ? {} : { entries: row.page.entries };
      yield { lost: { from, ...(row.next === undefined ? {} : { until: row.next }), ...count }, isNews: true };
      continue;
    }
    last = entries.at(-1)?.entry.path ?? last;
    yield { entries };
  }
  for (; earlier !== undefined; earlier = lostEarlier.next().value) yield { lost: earlier, isNews: false };
}

/** What is missing, as a report tells it. @param path the file's, for trees */
export function* missingContents(hurt: HurtContent, path?: ByteString): Generator<MissingContent> {
  for (const range of hurt.missing) yield path === undefined ? range : { path, ...range };
}

interface IndexRow {
  /** undefined: rows are lost here, nobody knows how many */
  page: TreePage | undefined;
  /** First path of what follows; undefined at the end. */
  next: ByteString | undefined;
}

/**
 * The rows of a tree's index that can be read. Where a chunk of the index is lost, rows begin again at the first place behind it
 * that reads as a row and so on to the end of what is left.
 */
async function readableIndex(content: Content, chunks: ChunkAccess): Promise<IndexRow[]> {
  const rows: (TreePage | undefined)[] = [];
  if ('inline' in content) rows.push(...decodeTreeIndex(content.inline));
  else {
    for (const [number, run] of (await readableRuns(content, chunks)).entries()) {
      if (number > 0) rows.push(undefined);
      rows.push(...rowsOf(run, number > 0));
    }
  }
  let next: ByteString | undefined;
  const found = rows.toReversed().map((page) => {
    const row = { page, next };
    next = page?.firstPath ?? next;
    return row;
  });
  return found.reverse();
}

/** What is between lost chunks; an index that begins or ends with a lost one begins or ends with an empty run. */
async function readableRuns(content: Content, chunks: ChunkAccess): Promise<Buffer[]> {
  const runs: Uint8Array[][] = [[]];
  const readPage = (id: Uint8Array): Promise<Uint8Array> => chunks.readChunk(id);
  for await (const { id } of contentSegments(content, readPage, () => false, 'unreadable')) {
    const bytes = id === null ? undefined : await readable(id, chunks);
    if (bytes === undefined) runs.push([]);
    else runs.at(-1)?.push(Uint8Array.from(bytes));
  }
  return runs.map((run) => Buffer.concat(run));
}

async function readPage({ page }: TreePage, chunks: ChunkAccess): Promise<WalkedEntry[] | undefined> {
  const bytes = page.id === null ? undefined : await readable(page.id, chunks);
  if (bytes === undefined) return undefined;
  const { entries, encoded } = decodeTreePage(Uint8Array.from(bytes));
  const walked: WalkedEntry[] = [];
  for (const [number, entry] of entries.entries()) {
    const hurt = entry.content === undefined ? undefined : await hurtOf(entry.content, chunks);
    walked.push({ entry, encoded: encoded[number] as Uint8Array, hurt });
  }
  return walked;
}

async function readable(id: Uint8Array, chunks: ChunkAccess): Promise<Uint8Array | undefined> {
  if (chunks.isLost(id)) return undefined;
  try {
    return await chunks.readChunk(id);
  } catch (error) {
    if (!isLoss(error)) throw error;
    return undefined;
  }
}

/** A list of four items begins a row. */
const ROW_BEGINS = 0x84;

function rowsOf(run: Buffer, mayBeginAnywhere: boolean): TreePage[] {
  let rows = rowsFrom(run);
  for (let at = run.indexOf(ROW_BEGINS, 1); mayBeginAnywhere && rows.length === 0 && at >= 0; ) {
    rows = rowsFrom(run.subarray(at));
    at = run.indexOf(ROW_BEGINS, at + 1);
  }
  return rows;
}

/** Rows up to the first place that is none: the last one may be cut off. */
function rowsFrom(bytes: Buffer): TreePage[] {
  const rows: TreePage[] = [];
  try {
    for (const { encoded } of decodeMetadataSequence(bytes)) rows.push(...decodeTreeIndex(encoded));
  } catch (error) {
    if (!isLoss(error)) throw error;
  }
  return rows;
}

function isRecorded(content: Exclude<Content, { inline: Uint8Array }>, offset: number, length: number): boolean {
  return (content.missing ?? []).some(
    (range) => range.offset <= offset && offset + length <= range.offset + range.length,
  );
}

function addMissing({ segments, missing }: HurtContent, offset: number, length: number): void {
  const before = missing.at(-1);
  if (before !== undefined && before.offset + before.length === offset) {
    before.length += length;
    (segments.at(-1) as ContentSegment).length += length;
    return;
  }
  missing.push({ offset, length });
  segments.push({ id: null, length });
}
