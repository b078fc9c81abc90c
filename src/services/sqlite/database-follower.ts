import { rmSync } from 'node:fs';
import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { FollowJob, SeenChange } from './database-job.ts';
import { LogPin } from './log-pin.ts';
import { requireDatabaseFile, requireRoom } from './online-copy.ts';
import { PageChanges } from './page-changes.ts';
import { PageTable } from './page-table.ts';
import { type PageSource, readPages, WholeFile } from './read-pages.ts';
import { RollbackLook } from './rollback-look.ts';
import { sqliteFault } from './sqlite-fault.ts';
import { readFramePage, readFrames } from './wal-frames.ts';
import type { WalIndex } from './wal-index.ts';

type Seen = Omit<SeenChange, 'milliseconds' | 'isReread' | 'warnings'>;

/**
 * Finds which pages of a live database changed since it was looked at last, as SQLite's own readers see it, and writes them into
 * a file. In WAL mode it reads the log; with a rollback journal, and wherever the log cannot tell, it compares all pages by hashes.
 */
export class DatabaseFollower {
  #path = '';
  #pin: LogPin | undefined;
  /** Up to where the log was read; never before the state that the pin holds. */
  #position: WalIndex | undefined;
  #rollback: RollbackLook | undefined;
  #table: PageTable | undefined;
  #time: Pick<SeenChange, 'through' | 'at'> = { through: '', at: '' };
  #isReread = false;
  #nextForced = 0;
  #warnings: string[] = [];

  /** @throws HoldfastError as backups do; `database-empty` (unavailable) */
  look(job: FollowJob): SeenChange {
    const begun = performance.now();
    this.#isReread = false;
    this.#warnings = [];
    try {
      if (this.#path !== job.path || this.#pin?.isInPlace() === false) this.close();
      this.#path = job.path;
      const looked = this.#look(job);
      const seen = job.isLast && looked.change === 'none' ? this.#confirm(job, looked) : looked;
      const milliseconds = Math.round(performance.now() - begun);
      return { ...seen, isReread: this.#isReread, warnings: this.#warnings, milliseconds };
    } catch (error) {
      // What it holds may be in the way of what is wrong.
      this.close();
      rmSync(job.piece, { force: true });
      throw sqliteFault(error, job.path);
    }
  }

  /** Gives up all that it holds. What it knows of the pages stays. */
  close(): void {
    this.#pin?.close();
    this.#pin = undefined;
    this.#position = undefined;
    this.#rollback = undefined;
  }

  #confirm({ piece }: FollowJob, seen: Seen): Seen {
    if (this.#table === undefined) return seen;
    const nothing = new PageChanges(piece, this.#table);
    try {
      return { ...seen, change: 'pages', pages: nothing.finish({ always: true }) };
    } finally {
      nothing.close();
    }
  }

  #look(job: FollowJob): Seen {
    if (this.#pin !== undefined) return this.#lookInLog(job, this.#pin);
    const { file, isInWalMode, isEmpty } = requireDatabaseFile(job.path);
    if (isEmpty) throw databaseEmpty(job.path);
    if (isInWalMode) {
      this.#rollback = undefined;
      this.#pin = LogPin.open(file, job.busyTimeoutMilliseconds);
      return this.#lookInLog(job, this.#pin);
    }
    this.#rollback ??= new RollbackLook(file);
    const through = now();
    const seen = this.#rollback.look(job.busyTimeoutMilliseconds, (source) => {
      this.#time = { through, at: justAfterNow() };
      return this.#compare(job, source, 'delete');
    });
    if (seen !== undefined) return seen;
    this.#time = { through, at: through };
    return this.#unchanged('delete');
  }

  #lookInLog(job: FollowJob, pin: LogPin): Seen {
    const index = this.#readIndex(pin);
    const before = this.#position;
    const isSame = index?.salts === before?.salts && index?.lastFrame === before?.lastFrame;
    // A checkpoint that came to its end is a reason to move too: those who wait for readers of the log wait for this one.
    if (before !== undefined && pin.isHeld && isSame && index?.backfilled === before.backfilled)
      return this.#unchanged('wal');
    if (before === undefined || this.#table === undefined) return pin.move(() => this.#compareLog(job, pin));
    const table = this.#table;
    return this.#changing(() => {
      const changes = new PageChanges(job.piece, table);
      try {
        if (!pin.move(() => this.#readLog(pin, changes))) return this.#rereadAfterGap(job, pin, changes);
        this.#keepLogShort(pin, changes);
        return this.#describe(changes.finish(), 'wal');
      } finally {
        changes.close();
      }
    });
  }

  /** Nothing was taken from the log by then. */
  #rereadAfterGap(job: FollowJob, pin: LogPin, changes: PageChanges): Seen {
    changes.close();
    return pin.move(() => this.#compareLog(job, pin));
  }

  /** @returns false where the log may have lost frames that were not read */
  #readLog(pin: LogPin, changes: PageChanges): boolean {
    const index = this.#readIndex(pin);
    const before = this.#position;
    if (index === undefined || before === undefined) return false;
    const isSameLog = index.salts === before.salts;
    if (isSameLog ? index.lastFrame < before.lastFrame : !pin.isHeld) return false;
    const after = isSameLog ? before.lastFrame : 0;
    if (index.lastFrame === after) {
      this.#position = index;
      return true;
    }
    if (index.pageSize !== this.#table?.pageSize) return false;
    const { frames, smallestPageCount } = readFrames(pin.log, { after, checksum: before.checksum, index });
    changes.cut(smallestPageCount);
    for (const [page, frame] of [...frames].sort(([left], [right]) => left - right))
      if (page <= index.pageCount) changes.set(page, readFramePage(pin.log, frame, index.pageSize));
    this.#table.resize(index.pageCount);
    this.#position = index;
    return true;
  }

  /**
   * The log can begin anew only when all of it has been brought into the file and nobody reads from it, this process included.
   * Writers that never pause leave no moment for that, so that at last they are held up for one.
   */
  #keepLogShort(pin: LogPin, changes: PageChanges): void {
    const length = this.#position?.lastFrame ?? 0;
    if (length < LONG_LOG) return;
    const read = (): void => {
      if (!this.#readLog(pin, changes)) throw logLost(pin.path);
    };
    if (!pin.checkpoint()) {
      if (length < VERY_LONG_LOG) return;
      this.#warnings.push(
        `The write-ahead log of ${pin.path} grows, since Holdfast may not write to the database and so cannot checkpoint it. It is let go of at times, and then all pages are compared. Give the user that Holdfast runs as the right to write to the database.`,
      );
      pin.letGo();
      return;
    }
    for (let round = 0; round < ROUNDS; round++) {
      const index = pin.index();
      const isInFile = index !== undefined && index.backfilled === index.lastFrame;
      pin.move(read);
      if (isInFile) return;
      pin.checkpoint();
    }
    if (length < VERY_LONG_LOG || performance.now() < this.#nextForced) return;
    const begun = performance.now();
    pin.withoutWriters(() => {
      pin.move(read);
      pin.checkpoint();
      pin.move(read);
    });
    this.#nextForced = performance.now() + REST_AFTER_FORCING * (performance.now() - begun);
  }

  #compareLog(job: FollowJob, pin: LogPin): Seen {
    for (let attempt = 1; ; attempt++) {
      const index = this.#readIndex(pin);
      if (index === undefined) throw logLost(pin.path);
      // Where all is in the file already, the log may begin anew at any moment, and nothing in it is needed.
      const after = index.backfilled === index.lastFrame ? index.lastFrame : 0;
      try {
        const { frames } = readFrames(pin.log, { after, checksum: index.checksum, index });
        // The index says nothing of a database whose log is empty.
        const { pageSize, pageCount } = index.lastFrame === 0 ? pin.sizes() : index;
        if (pageCount === 0) throw databaseEmpty(pin.path);
        const newer = (page: number): Uint8Array | undefined => {
          const frame = frames.get(page);
          return frame === undefined ? undefined : readFramePage(pin.log, frame, pageSize);
        };
        const seen = this.#compare(job, { pageSize, pageCount, descriptor: pin.database, newer }, 'wal');
        this.#position = index;
        return seen;
      } catch (error) {
        const isOvertaken = error instanceof HoldfastError && error.code === 'log-frames-invalid';
        if (!isOvertaken || attempt === ATTEMPTS) throw error;
      }
    }
  }

  #compare(job: FollowJob, source: PageSource, journalMode: SeenChange['journalMode']): Seen {
    this.#isReread = true;
    return this.#changing(() => {
      const table = this.#table;
      if (table?.pageSize !== source.pageSize) return this.#takeWhole(job, source, journalMode);
      const changes = new PageChanges(job.piece, table);
      try {
        changes.cut(source.pageCount);
        readPages(source, (page, bytes) => changes.set(page, bytes));
        return this.#describe(changes.finish(), journalMode);
      } finally {
        changes.close();
      }
    });
  }

  #takeWhole({ piece, known }: FollowJob, source: PageSource, journalMode: SeenChange['journalMode']): Seen {
    if (known?.pageSize === source.pageSize && known.pageCount === source.pageCount) {
      const table = new PageTable(source.pageSize);
      readPages(source, (page, bytes) => table.set(page, bytes));
      this.#table = table;
      if (table.state === known.state) return this.#unchanged(journalMode);
    }
    requireRoom(path.dirname(piece), source.pageSize * source.pageCount);
    const table = new PageTable(source.pageSize);
    const file = new WholeFile(piece);
    try {
      readPages(source, (page, bytes) => {
        table.set(page, bytes);
        file.add(bytes);
      });
      file.finish();
    } finally {
      file.close();
    }
    this.#table = table;
    return { ...this.#describe(table.pageCount, journalMode), change: 'whole' };
  }

  /** What is known of the pages is forgotten where a change of it was not completed. */
  #changing(act: () => Seen): Seen {
    try {
      return act();
    } catch (error) {
      this.#table = undefined;
      this.#position = undefined;
      throw error;
    }
  }

  #readIndex(pin: LogPin): WalIndex | undefined {
    const through = now();
    const index = pin.index();
    this.#time = { through, at: justAfterNow() };
    return index;
  }

  #unchanged(journalMode: SeenChange['journalMode']): Seen {
    return { ...this.#describe(0, journalMode), at: this.#time.through };
  }

  #describe(pages: number, journalMode: SeenChange['journalMode']): Seen {
    const { state = '', pageSize = 0, pageCount = 0 } = this.#table ?? {};
    const logFrames = this.#position?.lastFrame ?? 0;
    const change = pages === 0 ? 'none' : 'pages';
    return { change, pages, database: { state, pageSize, pageCount }, journalMode, logFrames, ...this.#time };
  }
}

function now(): string {
  return new Date().toISOString();
}

/** Times are cut to milliseconds, and a state must not seem older than a commit that is in it. */
function justAfterNow(): string {
  return new Date(Date.now() + 1).toISOString();
}

function databaseEmpty(path: string): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'database-empty',
    `${path} is an empty database (no page was ever written). Its log begins as soon as there is something in it.`,
  );
}

function logLost(path: string): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'log-index-unsettled',
    `The write-ahead log of ${path} was left in the midst of a change by a process that died. It is read again as soon as SQLite has mended it.`,
  );
}

/** Frames; SQLite's own automatic checkpoint begins at as many. */
const LONG_LOG = 1000;
const VERY_LONG_LOG = 8000;
/** How often reading and checkpointing take turns until they have caught up with writers. */
const ROUNDS = 3;
/** Writers wait a twentieth of the time at most. */
const REST_AFTER_FORCING = 19;
const ATTEMPTS = 5;
