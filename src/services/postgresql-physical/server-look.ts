import { HoldfastError } from '../../core/errors.ts';
import type { Connection } from '../postgresql/connection.ts';
import { BASE_BACKUP_SINCE } from '../postgresql/replication-readiness.ts';
import { Session } from '../postgresql/session.ts';
import type { ReplicationSession } from './replication-session.ts';

/** What a server says of itself by a replication connection. */
export interface ServerFacts {
  systemIdentifier: string;
  version: string;
  major: number;
  dataChecksums: boolean;
  /** bytes */
  pageBytes: number;
  walSegmentBytes: number;
  /** bytes of one file of a relation */
  relationFileBytes: number;
  /** Since 17: whether the server keeps what an incremental backup needs. */
  summarizesWal: boolean;
}

/** @throws HoldfastError `postgresql-version` (unsupported) and those of replication sessions */
export async function readServerFacts(session: ReplicationSession): Promise<ServerFacts> {
  const { systemid } = await session.row('IDENTIFY_SYSTEM');
  const major = Math.floor(Number(await session.show('server_version_num')) / 10_000);
  const version = await session.show('server_version');
  if (major < BASE_BACKUP_SINCE)
    throw new HoldfastError(
      'unsupported',
      'postgresql-version',
      `The server is PostgreSQL ${version}; physical backups need ${BASE_BACKUP_SINCE} or later, which sends a backup manifest. Use the service \`postgresql\`.`,
    );
  return {
    systemIdentifier: systemid ?? '',
    version: version.split(' ')[0] ?? version,
    major,
    dataChecksums: (await session.show('data_checksums')) === 'on',
    pageBytes: Number(await session.show('block_size')),
    walSegmentBytes: bytesOf(await session.show('wal_segment_size')),
    relationFileBytes: bytesOf(await session.show('segment_size')),
    summarizesWal: major >= 17 && (await session.show('summarize_wal')) === 'on',
  };
}

/** `16MB`, as settings are shown. */
function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)(B|kB|MB|GB|TB)?$/.exec(text) ?? [];
  return Number(digits) * (UNITS[unit] ?? 1);
}

const UNITS: Readonly<Record<string, number>> = { kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

export interface DatabaseSizes {
  /** RFC 3339, by the server's clock. */
  now: string;
  databases: { name: string; oid: string; bytes: number | null }[];
}

/** What only an ordinary connection tells; undefined where the role has none. */
export async function readDatabaseSizes(
  connection: Connection,
  signal: AbortSignal,
): Promise<DatabaseSizes | undefined> {
  let session: Session | undefined;
  try {
    session = await Session.open(connection, connection.database, signal);
    const { now } = await session.row<{ now: string }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    );
    const rows = await session.rows<{ name: string; oid: string; bytes: string | null }>(
      `SELECT datname AS name, oid::text AS oid,
              CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END AS bytes
         FROM pg_database ORDER BY datname`,
    );
    const databases = rows.map(({ bytes, ...each }) => ({ ...each, bytes: bytes === null ? null : Number(bytes) }));
    return { now, databases };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return undefined;
    throw error;
  } finally {
    await session?.close();
  }
}
