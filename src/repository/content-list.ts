import { HoldfastError } from '../core/errors.ts';
import type { Content, ContentSegment } from '../core/tree-entry.ts';
import { decodeMetadata, encodeMetadata } from './metadata-encoding.ts';
import { encodeSegment, toSegment } from './tree-entry-codec.ts';

/** A list longer than this is stored as pages of itself. */
export const LONGEST_INLINE_LIST = 1000;
const SMALLEST_PAGE = 256;
const LARGEST_PAGE = 4096;
/** A page ends after a segment whose id's last ten bits are zero, so that an insertion changes few pages. */
const PAGE_MASK = 0x3ff;
const DEEPEST = 8;

/** Stores pages of metadata, in the order given. */
export type StorePages = (pages: readonly Uint8Array[]) => Promise<ContentSegment[]>;

/** `{ segments }` for a short list; for a long one pages, and pages of pages, until a short list is left. */
export async function buildContent(segments: readonly ContentSegment[], storePages: StorePages): Promise<Content> {
  let list = segments;
  let depth = 0;
  while (list.length > LONGEST_INLINE_LIST) {
    const pages = paginate(list);
    const stored = await storePages(pages.map((page) => encodeMetadata(page.map(encodeSegment))));
    // Above the lowest level a page's length is that of the content below it, so that a range can be found.
    list = stored.map(({ id }, index) => ({
      id,
      length: (pages[index] as ContentSegment[]).reduce((sum, segment) => sum + segment.length, 0),
    }));
    depth++;
  }
  return depth === 0 ? { segments: list } : { depth, pages: list };
}

/** Walks a content's segments in order; `skip` says of a page whether nothing in its range of bytes is wanted. */
export async function* contentSegments(
  content: Content,
  readChunk: (id: Uint8Array) => Promise<Uint8Array>,
  skip: (start: number, length: number) => boolean = () => false,
): AsyncGenerator<ContentSegment> {
  if ('inline' in content) return;
  if ('segments' in content) {
    yield* content.segments;
    return;
  }
  if (content.depth < 1 || content.depth > DEEPEST)
    throw new HoldfastError(
      'damaged',
      'metadata-damaged',
      'A list of chunks says that it is nested as none is ever written.',
    );
  let start = 0;
  for (const page of content.pages) {
    if (skip(start, page.length)) yield { id: null, length: page.length };
    else {
      const begin = start;
      const below = await readListPage(page, readChunk);
      const inner: Content = content.depth === 1 ? { segments: below } : { depth: content.depth - 1, pages: below };
      yield* contentSegments(inner, readChunk, (offset, length) => skip(begin + offset, length));
    }
    start += page.length;
  }
}

async function readListPage(
  page: ContentSegment,
  readChunk: (id: Uint8Array) => Promise<Uint8Array>,
): Promise<ContentSegment[]> {
  if (page.id === null)
    throw new HoldfastError('damaged', 'metadata-damaged', 'A page of a list of chunks is recorded as a hole.');
  const value = decodeMetadata(await readChunk(page.id));
  if (!Array.isArray(value))
    throw new HoldfastError('damaged', 'metadata-damaged', 'A page of a list of chunks is not a list.');
  return value.map(toSegment);
}

function paginate(list: readonly ContentSegment[]): ContentSegment[][] {
  const pages: ContentSegment[][] = [];
  let page: ContentSegment[] = [];
  for (const segment of list) {
    page.push(segment);
    const id = segment.id;
    const cut = id !== null && ((((id[30] as number) << 8) | (id[31] as number)) & PAGE_MASK) === 0;
    if ((cut && page.length >= SMALLEST_PAGE) || page.length >= LARGEST_PAGE) {
      pages.push(page);
      page = [];
    }
  }
  if (page.length > 0) pages.push(page);
  return pages;
}
