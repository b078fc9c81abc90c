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

/**
 * What a walk through a content puts up with. `nothing`: lost bytes end it. `recorded`: those that the content itself says are
 * missing are given as segments of missing bytes. `unreadable`: so is what lies below pages of the list that cannot be read.
 */
export type Tolerance = 'nothing' | 'recorded' | 'unreadable';

/**
 * Walks a content's segments in order.
 *
 * @param skip says of a range of bytes whether nothing in it is wanted: pages for it are not read
 * @throws HoldfastError `content-missing` (damaged), and what reading pages throws
 */
export async function* contentSegments(
  content: Content,
  readChunk: (id: Uint8Array) => Promise<Uint8Array>,
  skip: (start: number, length: number) => boolean = () => false,
  tolerance: Tolerance = 'nothing',
): AsyncGenerator<ContentSegment> {
  if ('inline' in content) return;
  const { missing } = content;
  if (missing === undefined || missing.length === 0) {
    yield* listedSegments(content, readChunk, skip, tolerance);
    return;
  }
  let offset = 0;
  let next = 0;
  for await (const segment of listedSegments(content, readChunk, skip, tolerance)) {
    const end = offset + segment.length;
    for (
      let range = missing[next];
      range !== undefined && range.offset + range.length <= offset;
      range = missing[++next]
    );
    const range = missing[next];
    const isMissing =
      segment.id === null && range !== undefined && range.offset <= offset && end <= range.offset + range.length;
    if (!isMissing || skip(offset, segment.length)) yield segment;
    else if (tolerance === 'nothing') throw contentMissing(offset, segment.length);
    else yield { ...segment, missing: true };
    offset = end;
  }
}

async function* listedSegments(
  content: Exclude<Content, { inline: Uint8Array }>,
  readChunk: (id: Uint8Array) => Promise<Uint8Array>,
  skip: (start: number, length: number) => boolean,
  tolerance: Tolerance,
): AsyncGenerator<ContentSegment> {
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
    const begin = start;
    start += page.length;
    if (skip(begin, page.length)) {
      yield { id: null, length: page.length };
      continue;
    }
    let below: ContentSegment[];
    try {
      below = await readListPage(page, readChunk);
    } catch (error) {
      if (tolerance !== 'unreadable' || !isLoss(error)) throw error;
      yield { id: null, length: page.length, missing: true };
      continue;
    }
    const inner = content.depth === 1 ? { segments: below } : { depth: content.depth - 1, pages: below };
    yield* listedSegments(inner, readChunk, (offset, length) => skip(begin + offset, length), tolerance);
  }
}

/** Whether an error says that stored bytes are damaged or gone, rather than that reading them went wrong. */
export function isLoss(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && (error.kind === 'damaged' || error.kind === 'not-found');
}

export function contentMissing(offset: number, length: number): HoldfastError {
  return new HoldfastError(
    'damaged',
    'content-missing',
    `${length} bytes from byte ${offset} on are lost: this backup was made by a repair, and records what is missing.`,
    { details: { offset, length } },
  );
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
