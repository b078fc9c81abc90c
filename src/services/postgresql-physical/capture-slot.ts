import { HoldfastError } from '../../core/errors.ts';
import type { Connection } from '../postgresql/connection.ts';
import type { Session } from '../postgresql/session.ts';
import { replicationFailure } from './capture-failure.ts';
import { type Lsn, parseLsn } from './wal-position.ts';

/** A physical replication slot as the server shows it. */
export interface ReplicationSlot {
  name: string;
  /** The oldest WAL that the server keeps for it; undefined where it keeps none. */
  restart: Lsn | undefined;
  /** `reserved`, `extended`, `unreserved`, or `lost`: given up because of max_slot_wal_keep_size. */
  walStatus: string;
  /** Bytes that may be written before the server gives it up, if there is a limit. */
  safeBytes: number | undefined;
  /** Bytes of WAL that the server keeps for it. */
  retainedBytes: number;
}

/** What a server is, as far as a capture must know. */
export interface ServerFacts {
  segmentBytes: number;
}

/** Slots with a limit, and what the server tells of them, came with this version. */
const OLDEST_VERSION = 130_000;

/** @throws HoldfastError `wal-level-too-low`, `postgresql-too-old` (unsupported) */
export async function readServerFacts(session: Session, connection: Connection): Promise<ServerFacts> {
  const { version, level, bytes } = await session.row<{ version: string; level: string; bytes: string }>(
    `SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS level,
       (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS bytes`,
  );
  if (Number(version) < OLDEST_VERSION)
    throw new HoldfastError(
      'unsupported',
      'postgresql-too-old',
      `${connection.place} runs PostgreSQL ${Math.floor(Number(version) / 10_000)}; its WAL is kept from version 13 on.`,
    );
  if (level === 'minimal')
    throw new HoldfastError(
      'unsupported',
      'wal-level-too-low',
      `${connection.place} has wal_level = minimal, which writes too little to restore from. Set wal_level = replica and max_wal_senders = 10, and restart the server.`,
    );
  return { segmentBytes: Number(bytes) };
}

/** How far a server's WAL is written, on a standby how far it was received. */
export const CURRENT_LSN = `CASE WHEN pg_is_in_recovery()
  THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END`;

/** @returns undefined where there is none of that name */
export async function readSlot(session: Session, name: string): Promise<ReplicationSlot | undefined> {
  const [row] = await session.rows<{
    type: string;
    restart: string | null;
    status: string | null;
    safe: string | null;
    retained: string | null;
  }>(
    `SELECT slot_type AS type, restart_lsn::text AS restart, wal_status AS status, safe_wal_size::text AS safe,
       pg_wal_lsn_diff(${CURRENT_LSN}, restart_lsn)::text AS retained
     FROM pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  if (row === undefined) return undefined;
  if (row.type !== 'physical')
    throw new HoldfastError(
      'conflict',
      'replication-slot-logical',
      `The replication slot "${name}" is a logical one. Name another by \`wal.slot\`.`,
    );
  return {
    name,
    restart: row.restart === null ? undefined : parseLsn(row.restart),
    walStatus: row.status ?? 'unknown',
    safeBytes: row.safe === null ? undefined : Number(row.safe),
    retainedBytes: Math.max(0, Number(row.retained ?? 0)),
  };
}

/** Makes a slot for which the server keeps WAL from now on. @throws HoldfastError saying what to set */
export async function createSlot(session: Session, connection: Connection, name: string): Promise<ReplicationSlot> {
  try {
    await session.rows('SELECT pg_create_physical_replication_slot($1, true)', [name]);
  } catch (error) {
    if (!isExisting(error)) throw replicationFailure(error, connection);
  }
  const slot = await readSlot(session, name);
  if (slot !== undefined) return slot;
  throw new HoldfastError('unavailable', 'replication-slot-missing', `The replication slot "${name}" vanished.`);
}

/** @returns false where there was none. @throws HoldfastError `replication-slot-in-use` (conflict) … */
export async function dropSlot(session: Session, connection: Connection, name: string): Promise<boolean> {
  try {
    const rows = await session.rows(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
      [name],
    );
    return rows.length > 0;
  } catch (error) {
    throw replicationFailure(error, connection);
  }
}

const isExisting = (error: unknown): boolean => error instanceof HoldfastError && error.details.sqlState === '42710';
