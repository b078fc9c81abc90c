import { HoldfastError } from '../../core/errors.ts';
import type { LogReading, NewLogPiece } from '../../core/ports/resource-log.ts';
import { encodeHeader, readChangedPages } from './changed-pages.ts';
import { beginningOf, type DatabasePiece, type LogFacts } from './log-facts.ts';

/**
 * Makes one piece of several that follow each other: the newest bytes of each page that any of them holds.
 * @param run in order, of pages of the same size; their content is held in memory
 */
export async function mergePieces(log: LogReading, run: readonly DatabasePiece[]): Promise<NewLogPiece> {
  const [first, last] = [beginningOf(run), run.at(-1)];
  if (first === undefined || last === undefined)
    throw new HoldfastError('internal', 'nothing-to-merge', 'No pieces of a log were given to merge.');
  const pages = new Map<number, Buffer>();
  let smallestPageCount = Infinity;
  for (const { piece } of run) {
    const content = await log.read(piece);
    const source = readChangedPages(once(content), (header) => {
      // Pages that were cut off are zeros should the database have grown again since.
      if (header.smallestPageCount < smallestPageCount) smallestPageCount = header.smallestPageCount;
      for (const page of pages.keys()) if (page > header.smallestPageCount) pages.delete(page);
    });
    for await (const { page, bytes } of source) pages.set(page, Buffer.from(bytes));
  }
  const { pageSize, databaseSizeInPages, state, at } = last;
  const { since, unchangedUntil } = first;
  const facts: LogFacts = {
    kind: 'pages',
    at,
    since,
    unchangedUntil,
    pages: pages.size,
    pageSize,
    databaseSizeInPages,
    state,
  };
  const header = { pageSize, pageCount: databaseSizeInPages, smallestPageCount, pages: pages.size };
  return { from: `${first.from}`, to: `${last.to}`, facts: { ...facts }, content: encode(header, pages) };
}

function* encode(
  header: Parameters<typeof encodeHeader>[0],
  pages: ReadonlyMap<number, Buffer>,
): Generator<Uint8Array> {
  yield encodeHeader(header);
  for (const [page, bytes] of [...pages].sort(([left], [right]) => left - right)) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(page);
    yield number;
    yield bytes;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
