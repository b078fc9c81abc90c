import { HoldfastError } from '../../core/errors.ts';
import type { PostgresqlConfiguration } from './configuration.ts';
import type { StoredDatabase, StoredTable } from './contents.ts';
import { matchesName, matchesTable, parseTableName, type TableName } from './name-pattern.ts';
import { quoted, type Session } from './session.ts';

/** The first version with a role that may read everything and do nothing else (pg_read_all_data). */
export const READ_ALL_SINCE = 14;

/** What is asked of a database inside the dump's own snapshot, so that it is true of the dump. */

export type DatabaseProperties = Omit<StoredDatabase, 'largeObjects' | 'partial' | 'tables' | 'dump'>;

export async function readServerVersion(session: Session): Promise<{ version: string; major: number }> {
  const { version, number } = await session.row<{ version: string; number: string }>(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number`,
  );
  return { version: version.split(' ')[0] ?? version, major: Math.floor(Number(number) / 10_000) };
}

/** The first version whose catalogue is asked as it is here. */
const OLDEST_MAJOR = 10;

/** @throws HoldfastError `postgresql-version` (unsupported) */
export function requireKnownVersion({ version, major }: { version: string; major: number }): void {
  if (major >= OLDEST_MAJOR) return;
  const message = `The server is PostgreSQL ${version}; databases are backed up from version ${OLDEST_MAJOR} on. Upgrade the server, or let its own pg_dump write to a resource of the service \`stream\`.`;
  throw new HoldfastError('unsupported', 'postgresql-version', message);
}

export async function isSuperuserSession(session: Session): Promise<boolean> {
  const { value } = await session.row<{ value: string }>(`SELECT current_setting('is_superuser') AS value`);
  return value === 'on';
}

/** Names of all databases that accept connections and are no templates, in order. */
export async function listDatabases(session: Session): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
  );
  return rows.map(({ name }) => name);
}

/** A standby has no rows of unlogged tables, and refuses to be asked for them. */
export async function isStandby(session: Session): Promise<boolean> {
  const { recovers } = await session.row<{ recovers: boolean }>('SELECT pg_is_in_recovery() AS recovers');
  return recovers;
}

export async function readProperties(session: Session, major: number): Promise<DatabaseProperties> {
  const locale = major >= 17 ? 'datlocale' : major >= 15 ? 'daticulocale' : 'NULL::text';
  const provider = major >= 15 ? 'datlocprovider::text' : `'c'`;
  const row = await session.row<DatabaseProperties & { bytes: string }>(
    `SELECT datname AS name, pg_database_size(d.oid) AS bytes, pg_encoding_to_char(encoding) AS encoding,
            datcollate AS collate, datctype AS ctype, ${provider} AS "localeProvider", ${locale} AS locale,
            pg_get_userbyid(datdba) AS owner, datconnlimit AS "connectionLimit",
            shobj_description(d.oid, 'pg_database') AS comment,
            COALESCE((SELECT json_agg(json_build_object('role', COALESCE(r.rolname, ''),
                'name', split_part(entry, '=', 1), 'value', substr(entry, strpos(entry, '=') + 1)))
              FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS entry
              WHERE s.setdatabase = d.oid), '[]') AS settings,
            CASE WHEN datacl IS NOT NULL THEN (SELECT COALESCE(json_agg(json_build_object(
                'grantee', COALESCE(g.rolname, ''), 'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
              FROM aclexplode(datacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee) END AS privileges
       FROM pg_database d WHERE datname = current_database()`,
  );
  return { ...row, bytes: Number(row.bytes) };
}

/** A table as the server lists it, before its rows are counted. */
export interface ListedTable extends StoredTable {
  oid: number;
  isUnlogged: boolean;
}

/** Tables with rows of their own: no views, no parents of partitions, no foreign tables, nothing that an extension brings. */
export async function listTables(session: Session): Promise<ListedTable[]> {
  const rows = await session.rows<ListedTable & { bytes: string }>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, pg_total_relation_size(c.oid) AS bytes,
            c.relpersistence = 'u' AS "isUnlogged", ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                   WHERE x.indrelid = c.oid ORDER BY 1) AS indexes,
            ARRAY(SELECT s.relname::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                   WHERE d.refobjid = c.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                     AND d.deptype IN ('a', 'i') ORDER BY 1) AS sequences,
            (SELECT json_build_object('schema', pn.nspname, 'table', pc.relname)
               FROM pg_inherits h JOIN pg_class pc ON pc.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = pc.relnamespace
              WHERE h.inhrelid = c.oid AND c.relispartition) AS "partitionOf",
            COALESCE((SELECT json_agg(json_build_object('constraint', f.conname, 'schema', rn.nspname, 'table', rc.relname))
               FROM pg_constraint f JOIN pg_class rc ON rc.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace
              WHERE f.conrelid = c.oid AND f.contype = 'f'), '[]') AS references
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${OF_USERS}
      ORDER BY 2, 3`,
  );
  return rows.map((row) => ({ ...row, bytes: Number(row.bytes) }));
}

const OF_USERS = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`;

/** What pg_dump will write of these tables, by the same rules as the patterns that it is given. */
export function chosenTables(tables: readonly ListedTable[], configuration: PostgresqlConfiguration): ListedTable[] {
  const include = patterns(configuration.tables.include);
  const exclude = patterns(configuration.tables.exclude);
  return tables.filter((each) => {
    const name = { schema: each.schema, table: each.name };
    if (exclude.some((pattern) => matchesTable(name, pattern))) return false;
    if (include.length > 0) return include.some((pattern) => matchesTable(name, pattern));
    return isChosenSchema(each.schema, configuration);
  });
}

export function isChosenSchema(schema: string, { schemas }: PostgresqlConfiguration): boolean {
  if (schemas.exclude.some((pattern) => matchesName(schema, pattern))) return false;
  return schemas.include.length === 0 || schemas.include.some((pattern) => matchesName(schema, pattern));
}

export function withoutData(table: ListedTable, configuration: PostgresqlConfiguration): boolean {
  const name = { schema: table.schema, table: table.name };
  return patterns(configuration.tables.excludeData).some((pattern) => matchesTable(name, pattern));
}

function patterns(texts: readonly string[]): TableName[] {
  return texts.map(parseTableName).filter((name) => name !== undefined);
}

export interface UnreadableObject {
  schema: string;
  /** As SQL writes it, for a person and for a GRANT. */
  name: string;
  /** What the role lacks. */
  lacks: 'USAGE' | 'SELECT' | 'BYPASSRLS';
  why: string;
}

/** All that keeps the role from reading these tables whole: pg_dump names the first one only. */
export async function unreadableTables(session: Session, tables: readonly ListedTable[]): Promise<UnreadableObject[]> {
  return session.rows<UnreadableObject>(
    `SELECT n.nspname AS schema, format('%I.%I', n.nspname, c.relname) AS name, lacks,
            CASE lacks WHEN 'USAGE' THEN 'no USAGE on its schema' WHEN 'SELECT' THEN 'no SELECT'
                 ELSE 'row-level security hides rows' END AS why
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            LATERAL (SELECT CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'USAGE'
                                 WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT'
                                 WHEN row_security_active(c.oid) THEN 'BYPASSRLS' END AS lacks) AS privilege
      WHERE c.oid = ANY ($1::oid[]) AND lacks IS NOT NULL
      ORDER BY 2`,
    [tables.map(({ oid }) => oid)],
  );
}

/** pg_dump reads the state of each sequence that it dumps. */
export async function unreadableSequences(session: Session): Promise<UnreadableObject[]> {
  return session.rows<UnreadableObject>(
    `SELECT n.nspname AS schema, format('%I.%I', n.nspname, c.relname) AS name, lacks,
            CASE lacks WHEN 'USAGE' THEN 'no USAGE on its schema' ELSE 'no SELECT' END AS why
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            LATERAL (SELECT CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'USAGE'
                                 WHEN NOT has_sequence_privilege(c.oid, 'SELECT') THEN 'SELECT' END AS lacks) AS privilege
      WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${OF_USERS} AND lacks IS NOT NULL
      ORDER BY 2`,
  );
}

/** Large objects that the role may not read: `pg_read_all_data` does not reach them. At most 20, and how many there are. */
export async function unreadableLargeObjects(session: Session): Promise<{ first: string[]; count: number }> {
  const { first, count } = await session.row<{ first: string[] | null; count: string }>(
    `SELECT (array_agg(oid::text ORDER BY oid))[1:20] AS first, count(*) AS count FROM pg_largeobject_metadata
      WHERE current_setting('is_superuser') <> 'on' AND current_setting('lo_compat_privileges') <> 'on'
        AND NOT pg_has_role(lomowner, 'USAGE')
        AND NOT EXISTS (SELECT FROM aclexplode(lomacl) a WHERE a.privilege_type = 'SELECT'
                          AND CASE a.grantee WHEN 0 THEN true ELSE pg_has_role(a.grantee, 'USAGE') END)`,
  );
  return { first: first ?? [], count: Number(count) };
}

/** Of a partitioned table `p` and the operator class `o` of a column of its key: whether the partition of a row depends on numbers that enumerations are given in each database. */
export const HASHED_BY_ENUMERATION = `p.partstrat = 'h' AND o.opcname = 'enum_ops'`;

/** Partitioned tables whose rows may be in other partitions after a restore, which puts them into the root. */
export async function tablesHashedByEnumeration(session: Session): Promise<TableName[]> {
  return session.rows<TableName>(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_partitioned_table p
       JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE EXISTS (SELECT FROM pg_opclass o WHERE o.oid = ANY (p.partclass) AND ${HASHED_BY_ENUMERATION})`,
  );
}

/** Rows of one table itself, without those of tables that inherit from it. */
export async function countRows(session: Session, { schema, table }: TableName): Promise<number> {
  const { rows } = await session.row<{ rows: string }>(
    `SELECT count(*) AS rows FROM ONLY ${quoted(schema)}.${quoted(table)}`,
  );
  return Number(rows);
}

export async function countLargeObjects(session: Session): Promise<number> {
  const { count } = await session.row<{ count: string }>('SELECT count(*) AS count FROM pg_largeobject_metadata');
  return Number(count);
}
