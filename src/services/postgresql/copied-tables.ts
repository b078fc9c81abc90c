import type { PostgresqlConfiguration } from './configuration.ts';
import { type DatabaseProperties, type ListedTable, withoutData } from './database-facts.ts';
import type { Session } from './session.ts';

/** A table whose rows are read by a COPY of ours, and not by pg_dump. */
export interface CopiedTable {
  table: ListedTable;
  /** With its schema, and its columns, as SQL writes them. */
  name: string;
  columns: string;
}

/** Of these versions pg_dump and the server are known. */
const [OLDEST, NEWEST] = [12, 18];
/** Bytes of a table with all that belongs to it, from which on it is worth while. */
const LARGE_BYTES = 1 << 20;
/** So that no command line is too long for the system. */
const MOST_COPIED = 1000;

/**
 * Large tables that are plain, and locks them so that they stay as pg_dump will find them. pg_dump reads the rows of all others.
 *
 * @param tables that will be in the dump
 */
export async function lockCopiedTables(
  session: Session,
  tables: readonly ListedTable[],
  { encoding }: Pick<DatabaseProperties, 'encoding'>,
  { configuration, serverMajor, tools }: CopyingContext,
): Promise<CopiedTable[]> {
  const areKnown = [serverMajor, tools.major].every((major) => major >= OLDEST && major <= NEWEST);
  // Other encodings would have to be that of the connection, which names are written in as well.
  if (!areKnown || encoding !== 'UTF8') return [];
  const large = tables.filter((table) => table.bytes >= LARGE_BYTES && !withoutData(table, configuration));
  // The server does not know what is reserved in a newer version, and the archive is for that one.
  if (tools.major !== serverMajor) await session.run('SET LOCAL quote_all_identifiers = on');
  const described = await describePlainTables(session, large.slice(0, MOST_COPIED));
  for (const { name } of described) await session.run(`LOCK TABLE ONLY ${name} IN ACCESS SHARE MODE`);
  return described;
}

export interface CopyingContext {
  configuration: PostgresqlConfiguration;
  serverMajor: number;
  tools: { major: number };
}

/** Above a table: pg_dump writes its rows for the root, as the numbers of an enumeration, and so the partitions that they belong to, are others after a restore. */
const HASHED_BY_ENUMERATION = `SELECT FROM pg_partition_ancestors(c.oid) AS above (relid)
  JOIN pg_partitioned_table p ON p.partrelid = above.relid JOIN pg_opclass o ON o.oid = ANY (p.partclass)
  WHERE p.partstrat = 'h' AND o.opcname = 'enum_ops'`;

async function describePlainTables(session: Session, tables: readonly ListedTable[]): Promise<CopiedTable[]> {
  if (tables.length === 0) return [];
  const rows = await session.rows<{ oid: number; name: string; columns: string }>(
    `SELECT c.oid::int8::float8 AS oid, format('%I.%I', n.nspname, c.relname) AS name,
            string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND NOT EXISTS (${HASHED_BY_ENUMERATION})
      GROUP BY c.oid, n.nspname, c.relname`,
    [tables.map(({ oid }) => oid)],
  );
  return tables.flatMap((table) => {
    const found = rows.find(({ oid }) => oid === table.oid);
    return found === undefined ? [] : [{ table, name: found.name, columns: found.columns }];
  });
}
