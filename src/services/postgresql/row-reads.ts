import type { CopiedTable } from './copied-tables.ts';
import type { Session } from './session.ts';

/** One COPY: of all rows of a table, or of those in some of its pages. */
export interface RowRead {
  copied: CopiedTable;
  text: string;
  isFirst: boolean;
  isLast: boolean;
}

/** A query for how the server would read a range of pages; none for a table that is read whole. */
export function explainRange({ name, pages, pagesOfRead }: CopiedTable): string | undefined {
  if (pagesOfRead === undefined || pages < LEAST_READS * pagesOfRead) return undefined;
  return `EXPLAIN SELECT FROM ONLY ${name} WHERE ${pagesFrom(0)} AND ${pagesTo(pagesOfRead)}`;
}

/** Those of these tables whose pages the server looks up. Without that, the whole table would be read for each range. */
export async function findRangedTables(
  session: Session,
  tables: readonly CopiedTable[],
): Promise<ReadonlySet<CopiedTable>> {
  const ranged = new Set<CopiedTable>();
  for (const copied of tables) {
    const explaining = explainRange(copied);
    if (explaining === undefined) continue;
    const [step = {}] = await session.rows<object>(explaining);
    if (/^Tid Range Scan on /.test(String(Object.values(step)[0]))) ranged.add(copied);
  }
  return ranged;
}

/**
 * How the rows of tables are read: large ones in ranges of pages, so that several sessions can read one table, and its rows still come in the order of one
 * reader. A table can have a million of them, so they are made as they are needed.
 *
 * @param ranged those that are read in ranges
 */
export function* rowReads(tables: readonly CopiedTable[], ranged: ReadonlySet<CopiedTable>): Generator<RowRead> {
  for (const copied of tables) {
    const { name, columns, pages, pagesOfRead } = copied;
    if (pagesOfRead === undefined || !ranged.has(copied)) {
      yield { copied, text: `COPY ${name} (${columns}) TO STDOUT`, isFirst: true, isLast: true };
      continue;
    }
    for (let from = 0; from < pages; from += pagesOfRead) {
      const isLast = from + pagesOfRead >= pages;
      // The last one has no end: a page more than were there when they were counted would be in it.
      const end = isLast ? '' : ` AND ${pagesTo(from + pagesOfRead)}`;
      const text = `COPY (SELECT ${columns} FROM ONLY ${name} WHERE ${pagesFrom(from)}${end}) TO STDOUT`;
      yield { copied, text, isFirst: from === 0, isLast };
    }
  }
}

const pagesFrom = (page: number): string => `ctid >= '(${page},0)'::tid`;
const pagesTo = (page: number): string => `ctid < '(${page},0)'::tid`;

const LEAST_READS = 4;
