import { type ArchiveContents, readArchiveContents } from '../../../postgresql-archive/archive-contents.ts';
import { copyHeader } from '../../sql/copy-header.ts';
import { tableName } from '../table-name.ts';
import { decoded } from './definition.ts';

/** What stands before the rows in an archive of pg_dump's custom format, as far as it must be known to find them. */
export interface ArchiveHead {
  /** Bytes up to the first block of data. */
  length: number;
  /** Bytes of an integer, without the one before it that says its sign. */
  integerBytes: number;
  /** Whose rows they are, by the number that stands before them. */
  tables: ReadonlyMap<number, ArchiveTable>;
}

export interface ArchiveTable {
  /** As a policy names it. */
  table: string;
  /** In the order of the fields of each row. */
  columns: readonly string[];
}

/**
 * Finds the tables of an archive that pg_dump of versions 12 to 18 made without compression, of a database in UTF-8. Of these, each chunk of data is one row.
 * @returns `more` where the bytes end before its end; undefined for all other archives, and whatever is not as pg_dump writes it
 */
export function archiveHead(bytes: Buffer): ArchiveHead | 'more' | undefined {
  const contents = readArchiveContents(bytes);
  if (contents === undefined || contents === 'more') return contents;
  try {
    return headOf(contents);
  } catch (error) {
    if (error instanceof RangeError || error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

/** From this version of pg_dump on rows may be cut anywhere. */
const FIRST_LONG_CHUNKS = 19;

function headOf({ bytes, toolMajor, entries }: ArchiveContents): ArchiveHead {
  if (!(toolMajor < FIRST_LONG_CHUNKS)) throw new NotUnderstood();
  const tables = new Map<number, ArchiveTable>();
  const names = new Set<string>();
  for (const { id, kind, definition, copy } of entries) {
    if (kind === 'ENCODING' && definition?.includes("'UTF8'") !== true) throw new NotUnderstood();
    if (kind !== 'TABLE DATA') continue;
    const table = tableOf(copy);
    if (names.has(table.table)) throw new NotUnderstood();
    names.add(table.table);
    tables.set(id, table);
  }
  return { length: bytes.length, integerBytes: INTEGER_BYTES, tables };
}

/** Without the one before it that says its sign. */
const INTEGER_BYTES = 4;

/** Without names of columns there are none: pg_dump always writes them. */
function tableOf(copy: Buffer | undefined): ArchiveTable {
  if (copy === undefined || copy.length === 0) throw new NotUnderstood();
  const { table, columns = [] } = copyHeader(copy);
  if (table.length !== 2) throw new NotUnderstood();
  return { table: tableName(table.map(decoded)), columns: columns.map(decoded) };
}

class NotUnderstood extends Error {}
