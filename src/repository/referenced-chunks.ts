import type { SnapshotRecord } from '../core/snapshot-record.ts';
import type { Content } from '../core/tree-entry.ts';
import { contentSegments } from './content-list.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { decodeTreePage } from './tree-entry-codec.ts';
import { decodeTreeIndex } from './tree-index.ts';

export interface ReferencedChunk {
  id: Uint8Array;
  length: number;
  /** A page of a tree or of a list, not content. */
  metadata: boolean;
  /** Whose content it is, for trees: a byte string. */
  path?: string;
}

/**
 * Every chunk that a snapshot needs; a chunk used twice comes twice. Pages named in `seenPages` are taken as walked already
 * and not read again; pages that are walked are added to it.
 */
export async function* referencedChunks(
  parts: RepositoryParts,
  record: SnapshotRecord,
  seenPages: Set<string> = new Set(),
): AsyncGenerator<ReferencedChunk> {
  const { root } = record;
  const readChunk = (id: Uint8Array): Promise<Uint8Array> => parts.readChunk(id);
  yield* contentChunks(root.content, root.kind === 'tree', readChunk);
  if (root.kind !== 'tree') return;
  const index = 'inline' in root.content ? root.content.inline : await readAll(root.content, readChunk);
  for (const { page } of decodeTreeIndex(index)) {
    if (page.id === null) continue;
    yield { id: page.id, length: page.length, metadata: true };
    const name = Buffer.from(page.id).toString('latin1');
    if (seenPages.has(name)) continue;
    seenPages.add(name);
    for (const entry of decodeTreePage(await parts.readChunk(page.id)).entries) {
      if (entry.content === undefined) continue;
      for await (const chunk of contentChunks(entry.content, false, readChunk)) yield { ...chunk, path: entry.path };
    }
  }
}

async function* contentChunks(
  content: Content,
  metadata: boolean,
  readChunk: (id: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<ReferencedChunk> {
  const pages: ReferencedChunk[] = [];
  const readPage = (id: Uint8Array): Promise<Uint8Array> => {
    pages.push({ id, length: 0, metadata: true });
    return readChunk(id);
  };
  // What a repair recorded as missing is no chunk that is needed.
  for await (const { id, length } of contentSegments(content, readPage, () => false, 'recorded'))
    if (id !== null) yield { id, length, metadata };
  yield* pages;
}

async function readAll(content: Content, readChunk: (id: Uint8Array) => Promise<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { id } of contentSegments(content, readChunk))
    if (id !== null) parts.push(Uint8Array.from(await readChunk(id)));
  return Buffer.concat(parts);
}
