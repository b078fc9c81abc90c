import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import { Session } from '../postgresql/session.ts';
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

/** Makes the slot in an ordinary session. */
export const slotIn = (session: Session) => (name: string) =>
  session.run(`SELECT pg_create_physical_replication_slot('${name}', true, true)`);

/**
 * Holds the WAL of a backup that the server sends by another session than the one it sends by, which cannot use its slot meanwhile, where
 * the server ends those.
 *
 * @returns what ends that, or undefined where it is not needed or no ordinary connection is to be had
 */
export async function holdWalBeside(job: BackupJob): Promise<(() => Promise<void>) | undefined> {
  if (!job.configuration.temporarySlot || !(await endsIdleSlots(job))) return undefined;
  const { connection, context } = job;
  const session = await Session.open(connection, connection.database, context.signal).catch((error: unknown) => {
    if (error instanceof HoldfastError && error.kind !== 'cancelled') return undefined;
    throw error;
  });
  if (session === undefined) return undefined;
  try {
    const slot = await holdWal(job, slotIn(session));
    const use = slot === undefined ? undefined : new SlotUse(session, slot);
    return async () => {
      use?.stop();
      await session.close();
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function endsIdleSlots({ facts, session }: BackupJob): Promise<boolean> {
  return facts.major >= 18 && (await session.show('idle_replication_slot_timeout')) !== '0';
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
