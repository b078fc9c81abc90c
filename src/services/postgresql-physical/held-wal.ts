import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { Session } from '../postgresql/session.ts';
import type { BackupJob } from './base-backup.ts';
import { sessionLost } from './online-backup.ts';

/**
 * Has the server keep the WAL that a backup needs, by a temporary slot, which ends with its connection, whatever happens. Goes on with a
 * warning where none can be had.
 *
 * @param create makes a slot of this name
 * @returns its name
 */
export async function holdWal(
  { configuration, context: { resource, warn } }: BackupJob,
  create: (slot: string) => Promise<unknown>,
): Promise<string | undefined> {
  if (!configuration.temporarySlot) return undefined;
  const slot = `holdfast_backup_${randomBytes(6).toString('hex')}`;
  try {
    await create(slot);
    return slot;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind === 'unavailable') throw error;
    warn(
      `No temporary replication slot could be had for the backup of "${resource.id}" (${error.message}) Without one, the server may remove WAL that a long backup needs; the backup then fails and says so. Raise \`max_replication_slots\`.`,
    );
    return undefined;
  }
}

/**
 * Uses a session's slot now and then: since PostgreSQL 18 the server ends sessions whose slot was idle for longer than
 * `idle_replication_slot_timeout`, and the backup with them. That the session was lost shows at once by this too.
 */
export class SlotUse {
  readonly #timer: NodeJS.Timeout;
  #asked: Promise<void> | undefined;
  #isPaused = false;
  #failure: unknown;

  constructor(session: Pick<Session, 'run'>, slot: string, milliseconds = EVERY_MILLISECONDS) {
    const use = `SELECT pg_replication_slot_advance(slot_name, restart_lsn) FROM pg_replication_slots WHERE slot_name = '${slot}'`;
    this.#timer = setInterval(() => {
      if (this.#isPaused || this.#asked !== undefined) return;
      this.#asked = session
        .run(use)
        .catch((error: unknown) => {
          this.#failure = sessionLost(error);
        })
        .finally(() => {
          this.#asked = undefined;
        });
    }, milliseconds);
  }

  /** Leaves the session to something else, since it takes one query at a time. */
  async pause<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#isPaused = true;
    try {
      await this.#asked;
      return await work();
    } finally {
      this.#isPaused = false;
    }
  }

  /** @throws what the last use failed with */
  verify(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const EVERY_MILLISECONDS = 10_000;
