import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pragmaNumber } from './database-facts.ts';
import { resultCode } from './sqlite-fault.ts';
import { readWalIndex, type WalIndex } from './wal-index.ts';

/**
 * Holds a read transaction on a database in WAL mode, so that no frame is overwritten before it was read.
 *
 * What SQLite's locks promise as long as some transaction is open that began at a state: either the log keeps all frames behind
 * that state, or, where a checkpoint had brought all of them into the file before, the log begins anew once, from that very state.
 * https://www.sqlite.org/walformat.html#wal_locks. `move` opens the next transaction before the last one ends, so there is no moment
 * without one.
 */
export class LogPin {
  readonly path: string;
  readonly #timeout: number;
  #holding: DatabaseSync;
  #spare: DatabaseSync;
  #isHeld = false;
  #writer: DatabaseSync | undefined;
  // Closed after all connections: closing one ends the locks of the whole process on its file.
  readonly #descriptors: { database: number; log: number; index: number };

  private constructor(path: string, timeout: number) {
    this.path = path;
    this.#timeout = timeout;
    this.#holding = new DatabaseSync(path, { readOnly: true, timeout });
    const opened: number[] = [];
    try {
      this.#spare = new DatabaseSync(path, { readOnly: true, timeout });
      try {
        begin(this.#holding);
        this.#isHeld = true;
        for (const file of [path, `${path}-wal`, `${path}-shm`]) opened.push(openSync(file, 'r'));
        const [database = -1, log = -1, index = -1] = opened;
        this.#descriptors = { database, log, index };
      } catch (error) {
        this.#spare.close();
        throw error;
      }
    } catch (error) {
      this.#holding.close();
      opened.forEach(closeSync);
      throw error;
    }
  }

  /** @throws what SQLite says; ENOENT where the database is not in WAL mode */
  static open(path: string, timeout: number): LogPin {
    return new LogPin(path, timeout);
  }

  get database(): number {
    return this.#descriptors.database;
  }

  get log(): number {
    return this.#descriptors.log;
  }

  /** False where frames may have been overwritten since the last `move`. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Where the log ends now. Undefined for the moment that another process needs to mend its index. */
  index(): WalIndex | undefined {
    return readWalIndex(this.#descriptors.index);
  }

  /** Whether these are still the files that others use under their names. */
  isInPlace(): boolean {
    const { database, log, index } = this.#descriptors;
    return (
      isSameFile(database, this.path) && isSameFile(log, `${this.path}-wal`) && isSameFile(index, `${this.path}-shm`)
    );
  }

  /**
   * Begins a transaction at the newest state, has everything up to it read, and ends the one before.
   * @param read reads the log to its end at least
   */
  move<Result>(read: () => Result): Result {
    begin(this.#spare);
    try {
      const result = read();
      if (this.#isHeld) this.#holding.exec('COMMIT');
      [this.#holding, this.#spare] = [this.#spare, this.#holding];
      this.#isHeld = true;
      return result;
    } catch (error) {
      this.#spare.exec('ROLLBACK');
      throw error;
    }
  }

  /** Of the state that `move` has begun to read. */
  sizes(): { pageSize: number; pageCount: number } {
    return { pageSize: pragmaNumber(this.#spare, 'page_size'), pageCount: pragmaNumber(this.#spare, 'page_count') };
  }

  /** Lets others do with the log what they like until the next `move`. */
  letGo(): void {
    if (this.#isHeld) this.#holding.exec('COMMIT');
    this.#isHeld = false;
  }

  /**
   * Brings into the database file what nobody reads from the log any more; waits for nobody.
   * @returns false where this user may not write to the database
   */
  checkpoint(): boolean {
    try {
      this.#openWriter().prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
      return true;
    } catch (error) {
      const code = (resultCode(error) ?? 0) & 0xff;
      if (code === READ_ONLY || code === CANNOT_OPEN) return false;
      if (code === BUSY || code === LOCKED) return true;
      throw error;
    }
  }

  /** Keeps writers waiting while `act` runs. @returns whether they could be made to wait in time */
  withoutWriters(act: () => void): boolean {
    const lock = new DatabaseSync(this.path, { timeout: 0 });
    try {
      if (!beginWriting(lock)) return false;
      try {
        act();
      } finally {
        lock.exec('ROLLBACK');
      }
      return true;
    } finally {
      lock.close();
    }
  }

  /** Whoever is the last to close a database brings its log into it and removes that: SQLite does so for connections that may write. */
  close(): void {
    this.letGo();
    this.#spare.close();
    this.#holding.close();
    try {
      if (this.isInPlace()) this.#openWriter().prepare('SELECT count(*) FROM sqlite_schema').get();
    } catch {
      // Somebody else has it, or it may not be written to: then its log stays, and SQLite reads it next time.
    } finally {
      this.#writer?.close();
      for (const descriptor of Object.values(this.#descriptors)) closeSync(descriptor);
    }
  }

  #openWriter(): DatabaseSync {
    this.#writer ??= new DatabaseSync(this.path, { timeout: Math.min(this.#timeout, WRITE_LOCK_TIMEOUT) });
    return this.#writer;
  }
}

function begin(database: DatabaseSync): void {
  database.exec('BEGIN');
  try {
    // The transaction begins with the first reading.
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

/** SQLite's own waiting sleeps longer and longer, and never meets the moment between two transactions of a writer without pauses. */
function beginWriting(database: DatabaseSync): boolean {
  const end = performance.now() + WRITE_LOCK_TIMEOUT;
  do {
    try {
      database.exec('BEGIN IMMEDIATE');
      return true;
    } catch (error) {
      const code = (resultCode(error) ?? 0) & 0xff;
      if (code !== BUSY && code !== LOCKED) throw error;
    }
  } while (performance.now() < end);
  return false;
}

function isSameFile(descriptor: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false, bigint: true });
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return there?.ino === ino && there.dev === dev;
}

/** milliseconds */
const WRITE_LOCK_TIMEOUT = 1000;
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const CANNOT_OPEN = 14;
