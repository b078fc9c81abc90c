import { createReadStream } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { SnapshotWriter, StoredStream } from '../../core/ports/repository.ts';
import type { CaptureContext, NewLogPiece } from '../../core/ports/resource-log.ts';
import { parseSqliteConfiguration, type SqliteConfiguration } from './configuration.ts';
import type { DatabaseState, SeenChange } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';
import { announceFollowed, breakOff, takeUp } from './followed-databases.ts';
import { type DatabasePiece, databasePiece, type LogFacts } from './log-facts.ts';
import { LogMerging } from './log-merging.ts';
import { segmentBytesFor } from './segment-size.ts';
import { storeCopy } from './store-copy.ts';

/**
 * Follows a live database: looks for changed pages at each interval and stores them as a piece of the log. Where it begins, and
 * after a gap, the piece is the whole database, unless that is still as the last piece left it.
 *
 * A database that is missing, locked or unreadable for a time is waited for.
 */
export async function captureDatabase(context: CaptureContext): Promise<void> {
  const configuration = parseSqliteConfiguration(context.resource.configuration);
  if (context.signal.aborted) return;
  const folder = await makeFolder(configuration.temporaryFolder ?? tmpdir());
  const patience = stopPatience(context.signal);
  // It is stopped by its own end if that comes in time: SIGKILL would leave what SQLite puts beside a database.
  const databases = new DatabaseProcess(patience.over, { temporaryFolder: folder, unfinished: folder });
  try {
    await new DatabaseCapture(context, configuration, {
      databases,
      pieceFile: path.join(folder, 'piece'),
      patienceOver: patience.over,
    }).run();
  } finally {
    patience.end();
    await databases.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What runs when it is to stop may come to its end, unless that takes long: a large database is read for minutes. */
function stopPatience(signal: AbortSignal): { over: AbortSignal; end(): void } {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => over.abort(signal.reason), STOP_PATIENCE);
  };
  signal.addEventListener('abort', begin, { once: true });
  if (signal.aborted) begin();
  return {
    over: over.signal,
    end() {
      signal.removeEventListener('abort', begin);
      clearTimeout(timer);
    },
  };
}

interface Looking {
  databases: DatabaseProcess;
  /** What a look finds goes there. */
  pieceFile: string;
  /** Aborts where its end has taken too long. */
  patienceOver: AbortSignal;
}

class DatabaseCapture {
  readonly #context: CaptureContext;
  readonly #configuration: SqliteConfiguration;
  readonly #databases: DatabaseProcess;
  readonly #pieceFile: string;
  readonly #patienceOver: AbortSignal;
  readonly #merging: LogMerging;
  #last: DatabasePiece | undefined;
  #through = '';
  #path: string;
  /** What keeps it from looking now; the state shows it. */
  #trouble: { code: string; since: number } | undefined;
  #hasLooked = false;
  readonly #told = new Set<string>();
  #busy: Promise<unknown> = Promise.resolve();
  #aside = 0;

  constructor(
    context: CaptureContext,
    configuration: SqliteConfiguration,
    { databases, pieceFile, patienceOver }: Looking,
  ) {
    this.#context = context;
    this.#configuration = configuration;
    this.#databases = databases;
    this.#pieceFile = pieceFile;
    this.#patienceOver = patienceOver;
    this.#path = configuration.path;
    this.#merging = new LogMerging(context.log, configuration.log, context.signal);
  }

  async run(): Promise<void> {
    const { log, resource, signal } = this.#context;
    const pieces = (await log.pieces()).map(databasePiece);
    this.#last = pieces.reduce<DatabasePiece | undefined>(
      (newest, piece) => (newest === undefined || piece.to >= newest.to ? piece : newest),
      undefined,
    );
    this.#merging.begin(pieces);
    const { path: file } = this.#configuration;
    this.#through = takeUp(resource.id, { path: file, state: this.#last?.to ?? 0 });
    const capture = this;
    const withdraw = announceFollowed(resource.id, {
      get path() {
        return capture.#path;
      },
      get through() {
        return capture.#through;
      },
      stepAside: () => this.#stepAside(),
    });
    try {
      while (!signal.aborted) {
        const pause = this.#aside > 0 ? this.#interval : await this.#next();
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
      // Not after a failure: what was found then may not have been stored, and pieces build on each other.
      await this.#lookForTheLastTime();
    } catch (error) {
      breakOff(resource.id, { path: file, state: this.#last?.to ?? 0, through: this.#through });
      throw error;
    } finally {
      withdraw();
      await this.#merging.end();
      await this.#letGo();
    }
  }

  /** What changed until now is kept; and where nothing did, that is known afterwards. */
  async #lookForTheLastTime(): Promise<void> {
    await this.#busy;
    if (this.#hasLooked && this.#trouble === undefined && this.#aside === 0) await this.#look({ isLast: true });
  }

  get #interval(): number {
    return 1000 * this.#configuration.log.intervalSeconds;
  }

  /** @returns milliseconds until it is to be called again */
  async #next(): Promise<number> {
    const begun = performance.now();
    const seen = await this.#look();
    if (seen === undefined)
      return Math.max(this.#interval, TROUBLE_PAUSE, REST_AFTER_REREADING * (performance.now() - begun));
    this.#merging.run(new Date(), this.#context.warn);
    // Writers wait while a database with a rollback journal is read, which must be the exception.
    const rest = seen.isReread && seen.journalMode === 'delete' ? REST_AFTER_REREADING * seen.milliseconds : 0;
    return Math.max(rest, this.#interval - (performance.now() - begun), 0);
  }

  /** @returns undefined where the database could not be looked at */
  #look({ isLast = false } = {}): Promise<SeenChange | undefined> {
    const looking = this.#lookAndStore(isLast);
    this.#busy = looking.catch(() => undefined);
    return looking;
  }

  async #lookAndStore(isLast: boolean): Promise<SeenChange | undefined> {
    const { signal, warn } = this.#context;
    const { path: file, busyTimeoutMilliseconds } = this.#configuration;
    let seen: SeenChange;
    try {
      this.#path = await realpath(file).catch(() => file);
      const { state, pageSize, databaseSizeInPages } = this.#last ?? {};
      const known =
        state && pageSize && databaseSizeInPages ? { state, pageSize, pageCount: databaseSizeInPages } : undefined;
      seen = await this.#databases.run<'follow'>({
        kind: 'follow',
        path: this.#path,
        piece: this.#pieceFile,
        ...(known === undefined ? {} : { known }),
        isLast,
        busyTimeoutMilliseconds: Math.min(busyTimeoutMilliseconds, LONGEST_WAIT),
      });
    } catch (error) {
      const isOver = this.#patienceOver.aborted || !(error instanceof HoldfastError);
      if (isOver || error.code === 'database-process-ended') throw error;
      this.#tellTrouble(error);
      return undefined;
    }
    for (const warning of seen.warnings) {
      if (!this.#told.has(warning)) warn(warning);
      this.#told.add(warning);
    }
    if (seen.change !== 'none') await this.#store(seen);
    this.#through = seen.through;
    this.#trouble = undefined;
    this.#hasLooked = true;
    if (!signal.aborted) this.#report(seen);
    return seen;
  }

  async #store(seen: SeenChange): Promise<void> {
    const last = this.#last;
    const { change, pages, database } = seen;
    if (change === 'none') return;
    const from = last?.to ?? 0;
    const facts: LogFacts = {
      kind: change,
      at: last === undefined || seen.at > last.at ? seen.at : last.at,
      since: this.#through === '' ? '' : (last?.at ?? ''),
      unchangedUntil: this.#through,
      pages,
      pageSize: database.pageSize,
      databaseSizeInPages: database.pageCount,
      state: database.state,
    };
    if (this.#through === '' && last !== undefined) this.#tellGap(last);
    const piece = await this.#append(() => ({
      from: `${from}`,
      to: `${from + 1}`,
      facts: { ...facts },
      content:
        change === 'whole' ? wholeContent(this.#pieceFile, database, this.#patienceOver) : bytesOf(this.#pieceFile),
    }));
    await rm(this.#pieceFile, { force: true });
    this.#last = databasePiece(piece);
    this.#merging.add(this.#last);
  }

  /** A repository that is away for a moment must not make a gap. */
  async #append(piece: () => NewLogPiece): ReturnType<CaptureContext['log']['append']> {
    const { log, signal } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        return await log.append(piece());
      } catch (error) {
        if (attempt === APPEND_ATTEMPTS || signal.aborted) throw error;
        await sleep(APPEND_PAUSE * attempt, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #report(seen: SeenChange): void {
    const { at = '' } = this.#last ?? {};
    const { journalMode, logFrames, database } = seen;
    this.#context.report({
      position: `${this.#last?.to ?? 0}`,
      sourcePosition: `${this.#last?.to ?? 0}`,
      lagBytes: 0,
      details: {
        stateAt: at,
        completeThrough: seen.through,
        journalMode,
        logBytes: logFrames * (database.pageSize + FRAME_HEADER_BYTES),
      },
    });
  }

  /** @throws what it was given, after a while: then it is shown as a failure, and tried less often */
  #tellTrouble(error: HoldfastError): void {
    const now = performance.now();
    if (this.#trouble !== undefined && now - this.#trouble.since > TROUBLE_ENDURED) throw error;
    if (this.#trouble?.code === error.code) return;
    this.#trouble = { code: error.code, since: this.#trouble?.since ?? now };
    this.#context.warn(
      `The database cannot be looked at, so that its changes are not kept: ${messageOf(error)} It is tried again all the time.`,
    );
  }

  #tellGap(last: DatabasePiece): void {
    this.#context.warn(
      `The database changed while it was not followed, so that there is a gap: moments between ${last.at} and now cannot be restored to. All of it was read.`,
    );
  }

  async #stepAside(): Promise<() => void> {
    this.#aside++;
    await this.#busy;
    await this.#letGo();
    return () => {
      this.#aside--;
    };
  }

  /** A process that does not come to it in time is killed, and SQLite's own files stay beside the database. */
  async #letGo(): Promise<void> {
    await Promise.race([this.#askToLetGo(), sleep(LET_GO_PATIENCE, undefined, { ref: false })]);
  }

  async #askToLetGo(): Promise<void> {
    await this.#busy;
    // A process that ended by itself holds nothing.
    await this.#databases.run<'let-go'>({ kind: 'let-go' }).catch(() => undefined);
  }
}

/** Cut as backups are, so that what a backup holds is not stored again. */
function wholeContent(
  file: string,
  { pageSize, pageCount }: DatabaseState,
  signal: AbortSignal,
): (writer: SnapshotWriter) => Promise<StoredStream> {
  return async (writer) => {
    const length = pageSize * pageCount;
    const segmentBytes = segmentBytesFor(length, pageSize);
    const stored = await storeCopy({ path: file, length, segmentBytes, writer, signal, onBytes: () => undefined });
    return { ...stored, length };
  };
}

async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(file, { highWaterMark: READ_BYTES });
}

async function makeFolder(parent: string): Promise<string> {
  try {
    return await mkdtemp(path.join(parent, 'holdfast-sqlite-log-'));
  } catch (error) {
    throw new HoldfastError(
      'unavailable',
      'temporary-folder-unusable',
      `No private folder for changes of the database can be made in ${parent}. Check that it exists, is writable and has room, or set \`temporaryFolder\`.`,
      { cause: error, details: { folder: parent } },
    );
  }
}

/** milliseconds */
const TROUBLE_PAUSE = 1000;
const TROUBLE_ENDURED = 60_000;
const LONGEST_WAIT = 5000;
const LET_GO_PATIENCE = 5000;
const STOP_PATIENCE = 10_000;
const APPEND_PAUSE = 1000;
const APPEND_ATTEMPTS = 8;
/** A tenth of the time at most. */
const REST_AFTER_REREADING = 9;
const READ_BYTES = 1024 * 1024;
const FRAME_HEADER_BYTES = 24;
