import { HoldfastError } from '../core/errors.ts';
import { type ByteString, type ContentSegment, comparePaths } from '../core/tree-entry.ts';
import { decodeMetadataSequence, encodeMetadata } from './metadata-encoding.ts';
import { toSegment } from './tree-entry-codec.ts';

/** One page of a tree as the tree's index lists it. */
export interface TreePage {
  firstPath: ByteString;
  page: ContentSegment;
  entries: number;
}

/** The index of a tree is a CBOR sequence of `[first path, page's chunk id, page's length, number of entries]`. */
export function encodeTreePage(page: TreePage): Uint8Array {
  return encodeMetadata([Buffer.from(page.firstPath, 'latin1'), page.page.id, page.page.length, page.entries]);
}

/** @throws HoldfastError `metadata-damaged` */
export function decodeTreeIndex(bytes: Uint8Array): TreePage[] {
  const pages: TreePage[] = [];
  for (const { value } of decodeMetadataSequence(bytes)) {
    if (!Array.isArray(value)) throw malformed();
    const [path, id, length, entries] = value as unknown[];
    if (!(path instanceof Uint8Array) || !(id instanceof Uint8Array) || !isCount(entries)) throw malformed();
    pages.push({ firstPath: Buffer.from(path).toString('latin1'), page: toSegment([id, length]), entries });
  }
  return pages;
}

/** The pages that can hold one of `paths` or anything below it; all where no paths are given. */
export function pagesHolding(
  pages: readonly TreePage[],
  paths: readonly ByteString[] | undefined,
): readonly TreePage[] {
  if (paths === undefined) return pages;
  return pages.filter((page, index) => {
    const next = pages[index + 1];
    return paths.some((path) => {
      const beginsAfter = comparePaths(page.firstPath, path) > 0 && !isBelow(page.firstPath, path);
      const endsBefore = next !== undefined && comparePaths(next.firstPath, path) <= 0 && next.firstPath !== path;
      return !beginsAfter && !endsBefore;
    });
  });
}

/** Whether `path` is `ancestor` or lies below it. */
export function isBelow(path: ByteString, ancestor: ByteString): boolean {
  return ancestor === '' || path === ancestor || (path.startsWith(ancestor) && path[ancestor.length] === '/');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function malformed(): HoldfastError {
  return new HoldfastError(
    'damaged',
    'metadata-damaged',
    "A tree's index of pages is malformed. Run `holdfast verify`.",
  );
}
