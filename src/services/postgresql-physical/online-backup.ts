import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Session } from '../postgresql/session.ts';
import type { BackupPosition } from './base-backup-stream.ts';
import type { PhysicalConfiguration } from './configuration.ts';

export interface OnlineBackupEnd extends BackupPosition {
  /** `backup_label` */
  label: Buffer;
}

/**
 * What a server is told of a backup whose files somebody else reads: it begins with a checkpoint, and until it ends, or its session does, WAL
 * holds whole pages. The backup is the session's own; others may run beside it.
 */
export class OnlineBackup {
  readonly startLsn: string;
  readonly #session: Session;
  readonly #major: number;

  private constructor(session: Session, major: number, startLsn: string) {
    this.#session = session;
    this.#major = major;
    this.startLsn = startLsn;
  }

  /** When the server was started, seconds since 1970. @throws HoldfastError `postgresql-standby` (conflict) */
  static async serverStart(session: Session): Promise<number> {
    const { standby, started } = await session.row<{ standby: boolean; started: string }>(
      `SELECT pg_is_in_recovery() AS standby, floor(extract(epoch FROM pg_postmaster_start_time()))::text AS started`,
    );
    if (!standby) return Number(started);
    const message =
      'The server is a standby, whose folder cannot be read beside it. Name the primary, or set `transfer: replication`. Nothing was backed up.';
    throw new HoldfastError('conflict', 'postgresql-standby', message);
  }

  /** Waits for the checkpoint. @throws HoldfastError `postgresql-backup-refused` (denied) */
  static async begin(
    session: Session,
    major: number,
    { label, checkpoint }: Pick<PhysicalConfiguration, 'label' | 'checkpoint'>,
  ): Promise<OnlineBackup> {
    const call = major >= NEW_NAMES_SINCE ? 'pg_backup_start($1, $2)' : 'pg_start_backup($1, $2, false)';
    try {
      const { lsn } = await session.row<{ lsn: string }>(`SELECT ${call}::text AS lsn`, [label, checkpoint === 'fast']);
      return new OnlineBackup(session, major, lsn);
    } catch (error) {
      throw isDenied(error) ? refused(major, error) : sessionLost(error);
    }
  }

  /** Has the server end the segment of WAL, which is on its disk then. */
  async end(): Promise<OnlineBackupEnd> {
    const call = this.#major >= NEW_NAMES_SINCE ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
    try {
      const { lsn, label } = await this.#session.row<{ lsn: string; label: string }>(
        `SELECT lsn::text AS lsn, labelfile AS label FROM ${call}`,
      );
      const timeline = /^START TIMELINE: (\d+)$/m.exec(label)?.[1];
      if (timeline !== undefined) return { lsn, timeline: Number(timeline), label: Buffer.from(label) };
    } catch (error) {
      throw isDenied(error) ? refused(this.#major, error) : sessionLost(error);
    }
    const message = 'The server gave no backup_label with a timeline. Nothing was backed up; look at its log.';
    throw new HoldfastError('unsupported', 'postgresql-answer-unexpected', message);
  }
}

const NEW_NAMES_SINCE = 15;

/** The functions, with their arguments, that a role must be granted. */
export function backupFunctions(major: number): readonly string[] {
  return major >= NEW_NAMES_SINCE
    ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
    : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'];
}

function isDenied(error: unknown): boolean {
  return error instanceof HoldfastError && error.details.sqlState === '42501';
}

function refused(major: number, cause: unknown): HoldfastError {
  const grants = backupFunctions(major).map((call) => `GRANT EXECUTE ON FUNCTION ${call} TO the role`);
  const message = `The role may not begin a backup whose files are read beside the server: ${messageOf(cause)} In the database that \`connection\` names: ${grants.join('; ')}. Nothing was backed up.`;
  return new HoldfastError('denied', 'postgresql-backup-refused', message, { cause });
}

/** What the loss of the session that began a backup means: the server gave the backup up. */
export function sessionLost(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.kind !== 'unavailable') return error;
  const message = `The server ended the session that had begun the backup before all was read: ${messageOf(error)} Its log says why: it stopped, somebody ended the session, or the backup's slot kept more WAL than \`max_slot_wal_keep_size\` allows, which is to be raised then. Nothing was backed up.`;
  return new HoldfastError('unavailable', 'postgresql-connection-lost', message, {
    cause: error,
    details: error.details,
  });
}
