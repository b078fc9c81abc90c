import { type DatabaseProperties, HASHED_BY_ENUMERATION, type ListedTable } from './database-facts.ts';
import type { Session } from './session.ts';

/** A table whose rows are read by a COPY of ours, and not by pg_dump. */
export interface CopiedTable {
  table: ListedTable;
  /** With its schema, and its columns, as SQL writes them. */
  name: string;
  columns: string;
  /** Of the table itself. */
  pages: number;
  /** As many as hold some megabytes of rows; absent where the table cannot be read by ranges of pages. */
  pagesOfRead?: number;
}

/** Of these versions pg_dump and the server are known. */
const [OLDEST, NEWEST] = [12, 18];
/** Bytes of a table with all that belongs to it, from which on it is worth while. */
const LARGE_BYTES = 1 << 20;
/** So that no command line is too long for the system. */
const MOST_COPIED = 1000;

/**
 * Large tables that are plain. pg_dump reads the rows of all others.
 *
 * @param tables whose rows will be in the dump
 */
export async function findCopiedTables(
  session: Session,
  tables: readonly ListedTable[],
  { encoding }: Pick<DatabaseProperties, 'encoding'>,
  { serverMajor, tools }: CopyingContext,
): Promise<CopiedTable[]> {
  const areKnown = [serverMajor, tools.major].every((major) => major >= OLDEST && major <= NEWEST);
  // Other encodings would have to be that of the connection, which names are written in as well.
  if (!areKnown || encoding !== 'UTF8') return [];
  const large = tables.filter(({ bytes }) => bytes >= LARGE_BYTES);
  // The server does not know what is reserved in a newer version, and the archive is for that one.
  if (tools.major !== serverMajor) await session.run('SET LOCAL quote_all_identifiers = on');
  return describePlainTables(session, large.slice(0, MOST_COPIED), serverMajor);
}

export interface CopyingContext {
  serverMajor: number;
  tools: { major: number };
}

/** Above a table: pg_dump writes its rows for the root, as the numbers of an enumeration, and so the partitions that they belong to, are others after a restore. */
const BELOW_HASHED_BY_ENUMERATION = `SELECT FROM pg_partition_ancestors(c.oid) AS above (relid)
  JOIN pg_partitioned_table p ON p.partrelid = above.relid JOIN pg_opclass o ON o.oid = ANY (p.partclass)
  WHERE ${HASHED_BY_ENUMERATION}`;

async function describePlainTables(
  session: Session,
  tables: readonly ListedTable[],
  serverMajor: number,
): Promise<CopiedTable[]> {
  if (tables.length === 0) return [];
  const rows = await session.rows<PlainTable>(
    `SELECT c.oid::int8::float8 AS oid, format('%I.%I', n.nspname, c.relname) AS name,
            string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS pages,
            pg_table_size(c.oid)::float8 AS bytes,
            c.relam = (SELECT oid FROM pg_am WHERE amname = 'heap') AND has_table_privilege(c.oid, 'SELECT') AS ranged
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND NOT EXISTS (${BELOW_HASHED_BY_ENUMERATION})
      GROUP BY c.oid, n.nspname, c.relname, c.relam`,
    [tables.map(({ oid }) => oid)],
  );
  const byOid = new Map(rows.map((row) => [row.oid, row]));
  return tables.flatMap((table) => {
    const found = byOid.get(table.oid);
    if (found === undefined) return [];
    const { name, columns, pages, bytes, ranged } = found;
    const pagesOfRead = Math.max(1, Math.floor((pages * READ_BYTES) / Math.max(bytes, 1)));
    return [{ table, name, columns, pages, ...(ranged && serverMajor >= RANGES_SINCE ? { pagesOfRead } : {}) }];
  });
}

interface PlainTable {
  oid: number;
  name: string;
  columns: string;
  pages: number;
  /** With what is stored beside the rows. */
  bytes: number;
  /** Whether its pages can be asked for. A role that may read columns alone may not ask where a row lies. */
  ranged: boolean;
}

/** Ranges of pages are looked up, and not looked for in all of a table. */
const RANGES_SINCE = 14;
const READ_BYTES = 4 * 1024 * 1024;
