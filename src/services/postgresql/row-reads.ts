import type { CopiedTable } from './copied-tables.ts';
import type { Session } from './session.ts';

/** One COPY: of all rows of a table, or of those in some of its pages. */
export interface RowRead {
  copied: CopiedTable;
  text: string;
  isFirst: boolean;
  isLast: boolean;
}

/**
 * How the rows of tables are read: large ones in ranges of pages, so that several sessions can read one table, and its rows still come in the order of one
 * reader.
 *
 * @param session whose settings are those of the sessions that will read
 */
export async function planRowReads(session: Session, tables: readonly CopiedTable[]): Promise<RowRead[]> {
  const reads: RowRead[] = [];
  for (const copied of tables) {
    const texts = (await isReadByRanges(session, copied))
      ? rangeTexts(copied)
      : [`COPY ${copied.name} (${copied.columns}) TO STDOUT`];
    for (const [index, text] of texts.entries())
      reads.push({ copied, text, isFirst: index === 0, isLast: index === texts.length - 1 });
  }
  return reads;
}

/** Without a scan by ranges the whole table would be read for each. */
async function isReadByRanges(session: Session, { name, pages, pagesOfRead }: CopiedTable): Promise<boolean> {
  if (pagesOfRead === undefined || pages < LEAST_READS * pagesOfRead) return false;
  const plan = await session.rows<object>(
    `EXPLAIN SELECT FROM ONLY ${name} WHERE ${pagesFrom(0)} AND ${pagesTo(pagesOfRead)}`,
  );
  return /^Tid Range Scan on /.test(String(Object.values(plan[0] ?? {})[0]));
}

/** The last one has no end: a page more than were there when they were counted would be in it. */
function rangeTexts({ name, columns, pages, pagesOfRead = pages }: CopiedTable): string[] {
  const texts: string[] = [];
  for (let from = 0; from < pages; from += pagesOfRead) {
    const end = from + pagesOfRead < pages ? ` AND ${pagesTo(from + pagesOfRead)}` : '';
    texts.push(`COPY (SELECT ${columns} FROM ONLY ${name} WHERE ${pagesFrom(from)}${end}) TO STDOUT`);
  }
  return texts;
}

const pagesFrom = (page: number): string => `ctid >= '(${page},0)'::tid`;
const pagesTo = (page: number): string => `ctid < '(${page},0)'::tid`;

const LEAST_READS = 4;
