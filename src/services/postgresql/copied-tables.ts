import { HoldfastError } from '../../core/errors.ts';
import type { Connection } from './connection.ts';
import { type DatabaseProperties, HASHED_BY_ENUMERATION, type ListedTable } from './database-facts.ts';
import { quotedLiteral, Session } from './session.ts';

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
  return describePlainTables(session, large.slice(0, MOST_COPIED));
}

export interface CopyingContext {
  serverMajor: number;
  tools: { major: number };
}

/** Above a table: pg_dump writes its rows for the root, as the numbers of an enumeration, and so the partitions that they belong to, are others after a restore. */
const BELOW_HASHED_BY_ENUMERATION = `SELECT FROM pg_partition_ancestors(c.oid) AS above (relid)
  JOIN pg_partitioned_table p ON p.partrelid = above.relid JOIN pg_opclass o ON o.oid = ANY (p.partclass)
  WHERE ${HASHED_BY_ENUMERATION}`;

async function describePlainTables(session: Session, tables: readonly ListedTable[]): Promise<CopiedTable[]> {
  if (tables.length === 0) return [];
  const rows = await session.rows<{ oid: number; name: string; columns: string }>(
    `SELECT c.oid::int8::float8 AS oid, format('%I.%I', n.nspname, c.relname) AS name,
            string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND NOT EXISTS (${BELOW_HASHED_BY_ENUMERATION})
      GROUP BY c.oid, n.nspname, c.relname`,
    [tables.map(({ oid }) => oid)],
  );
  return tables.flatMap((table) => {
    const found = rows.find(({ oid }) => oid === table.oid);
    return found === undefined ? [] : [{ table, name: found.name, columns: found.columns }];
  });
}

/**
 * A session that sees what pg_dump sees and holds locks on these tables. To be opened while pg_dump holds its own, so that they are as it found them.
 *
 * @returns undefined where they cannot be locked at once: somebody waits for pg_dump to be done with one of them, and all would wait for one another. Also where the server takes no
 *   connection more
 */
export async function openCopyingSession(
  copied: readonly CopiedTable[],
  { connection, database, snapshot }: { connection: Connection; database: string; snapshot: string },
  signal: AbortSignal,
): Promise<Session | undefined> {
  let session: Session | undefined;
  try {
    session = await Session.open(connection, database, signal, { copiesRows: true });
    await session.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await session.run(`SET TRANSACTION SNAPSHOT ${quotedLiteral(snapshot)}`);
    await session.run(COPY_SETTINGS);
    for (const { name } of copied) await session.run(`LOCK TABLE ONLY ${name} IN ACCESS SHARE MODE NOWAIT`);
    return session;
  } catch (error) {
    await session?.close();
    if (error instanceof HoldfastError && PG_DUMP_CAN.has(String(error.details.sqlState))) return undefined;
    throw error;
  }
}

/** `lock_not_available`, `too_many_connections`. */
const PG_DUMP_CAN = new Set(['55P03', '53300']);

/** As pg_dump sets them, so that rows are written as it would write them (`setup_connection` in pg_dump.c). */
const COPY_SETTINGS = `SET LOCAL client_encoding = 'UTF8'; SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 3;
  SET LOCAL synchronize_seqscans = off; SET LOCAL lock_timeout = 0`;
