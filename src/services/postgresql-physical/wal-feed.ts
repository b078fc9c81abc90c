import { chown, mkdir, open, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';
import type { LogReading } from '../../core/ports/resource-log.ts';
import type { ServerAccount } from '../../process/server-account.ts';
import { bytesOf, planSegment, type SegmentPlan, whileReplaced } from './wal-assembly.ts';
import { getWalFile } from './wal-get.ts';
import { restoreCommand } from './wal-get-command.ts';
import { requireSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-page.ts';
import { readWalLog, type WalLog } from './wal-pieces.ts';
import { formatLsn, kindOfWalFile, type Lsn } from './wal-position.ts';
import { tablespaceOf, transactionEndOf, type WalRecord, WalRecords } from './wal-records.ts';

/** The server's descriptor that its commands inherit: the way to this process. */
const DESCRIPTOR = 4;
/** The server reads the last one again when it has come to the end. */
const KEPT_FILES = 2;

/**
 * What the server runs to get a file: it asks this process, and copies what that has laid out. Only an exit status above 125 keeps the server from
 * taking a failure for the end of the log.
 */
const COMMAND = `printf '%s\\n' "$1" >&${DESCRIPTOR} || exit 255
read -r answer <&${DESCRIPTOR} || exit 255
case "$answer" in
  given) cp "\${0%/*}/$1" "$2" || exit 255 ;;
  absent) exit 1 ;;
  *) exit 255 ;;
esac
`;

export interface WalFeedOptions {
  log: LogReading;
  /** Made here; nobody but this process's account writes there. */
  folder: string;
  /** That the server runs as, if it is another. */
  account: ServerAccount | undefined;
  /** From where on the cluster is consistent. */
  consistentFrom: Lsn;
  signal: AbortSignal;
  onSegment(name: string): void;
  /** The log is to be replayed up to the first transaction that ended later. Microseconds since 1970. */
  until?: bigint;
  /** Whether the server knows `until` and stops by itself; otherwise the log is given as if it ended there. */
  stopsByItself?: boolean;
}

/**
 * Gives a private server the WAL of a resource's log, as `wal-get` does for servers that have nobody who watches them: from this process,
 * so that the server's account needs neither Holdfast's configuration nor its key, and so that what went wrong is known here.
 */
export class WalFeed {
  /** Names of the segments that were read and given as a whole. */
  readonly given = new Set<string>();
  /** Why a file could not be given. */
  failure: unknown;
  /** Where and why the log was given as if it ended there. */
  cutAt: { position: Lsn; tablespace?: string } | undefined;
  /** Whether a transaction was given that ended after the moment at which the server is to stop. */
  isPassed = false;
  /** When the server asked last; see `performance.now`. */
  lastAsked = performance.now();
  readonly #options: WalFeedOptions;
  readonly #records: WalRecords;
  readonly #laidOut: string[] = [];
  #answering: Promise<void> = Promise.resolve();
  #stored: WalLog | undefined;
  #end: Lsn | undefined;
  /** Of the segment in which the log ended: it may have grown since, and the server must see one end. */
  #endedIn: Lsn | undefined;

  private constructor(options: WalFeedOptions) {
    this.#options = options;
    this.#records = new WalRecords((record) => this.#look(record));
  }

  static async make(options: WalFeedOptions): Promise<WalFeed> {
    const { folder } = options;
    await mkdir(folder, { mode: 0o711 });
    await writeFile(path.join(folder, 'get'), COMMAND, { mode: 0o644 });
    return new WalFeed(options);
  }

  /** The server's `restore_command`. */
  get command(): string {
    return restoreCommand(['sh', path.join(this.#options.folder, 'get')]);
  }

  /** The end of the last whole record that was given, and that is to be replayed. */
  get end(): Lsn | undefined {
    return this.#end;
  }

  /** Answers what comes through the server's descriptor, until that is closed. */
  attend(channel: Duplex): void {
    channel.on('error', () => undefined);
    // One at a time: a server waits for each answer.
    createInterface({ input: channel }).on('line', (name) => {
      this.lastAsked = performance.now();
      this.#answering = this.#answer(name).then((answer) => void channel.write(`${answer}\n`));
    });
  }

  /** Waits for what is still being laid out when the server has ended. */
  async settle(): Promise<void> {
    await this.#answering;
  }

  async #answer(name: string): Promise<'given' | 'absent' | 'failed'> {
    if (this.failure !== undefined) return 'failed';
    try {
      this.#options.signal.throwIfAborted();
      return (await this.#give(name)) ? 'given' : 'absent';
    } catch (error) {
      this.failure = error;
      return 'failed';
    }
  }

  async #give(name: string): Promise<boolean> {
    if (this.#laidOut.includes(name)) return true;
    const { log, onSegment } = this.#options;
    const destination = path.join(this.#options.folder, name);
    if (kindOfWalFile(name) === 'segment') {
      onSegment(name);
      if (!(await whileReplaced((isAgain) => this.#writeSegment(name, destination, isAgain)))) return false;
    } else {
      const request = { resourceId: '', name, destination, prefetch: 0, upToGap: false };
      if ((await getWalFile(log, request)) === 'absent') return false;
    }
    await this.#layOut(name, destination);
    return true;
  }

  async #layOut(name: string, file: string): Promise<void> {
    const { account, folder } = this.#options;
    if (account !== undefined) await chown(file, account.uid, account.gid);
    this.#laidOut.push(name);
    if (this.#laidOut.length > KEPT_FILES) await rm(path.join(folder, this.#laidOut.shift() ?? ''), { force: true });
  }

  async #writeSegment(name: string, destination: string, isAgain: boolean): Promise<boolean> {
    const plan = await this.#plan(name, isAgain);
    if (plan.kind === 'absent' || (this.#endedIn !== undefined && plan.start > this.#endedIn)) return false;
    if (plan.kind === 'end') this.#endedIn = plan.start;
    await rm(destination, { force: true });
    const handle = await open(destination, 'wx+', 0o600);
    try {
      this.#records.beginSegment(plan.start, plan.segmentBytes);
      for await (const bytes of bytesOf(this.#options.log, plan.parts)) {
        this.#options.signal.throwIfAborted();
        await handle.writeFile(bytes);
        if (this.cutAt === undefined) this.#records.push(bytes);
      }
      this.#records.endLog();
      const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
      await handle.read(header, 0, header.length, 0);
      requireSegmentHeader(header, name, plan);
      if (this.cutAt !== undefined && this.cutAt.position < plan.start + BigInt(plan.segmentBytes))
        return await this.#cut(handle, plan);
      await handle.truncate(plan.segmentBytes);
    } finally {
      await handle.close();
    }
    if (plan.kind === 'whole') this.given.add(name);
    return true;
  }

  /** Zeros are the end of the log to a server. */
  async #cut(
    handle: { truncate(length: number): Promise<void> },
    { start, segmentBytes }: SegmentPlan,
  ): Promise<boolean> {
    const at = Number((this.cutAt?.position ?? 0n) - start);
    this.#endedIn = start;
    // It began in the segment before, whose rest the server has: without this one, it is not whole.
    if (at < 0) return false;
    await handle.truncate(at);
    await handle.truncate(segmentBytes);
    return true;
  }

  /** A list of the pieces that is a little old will do where it knows the whole segment. */
  async #plan(name: string, isAgain: boolean): Promise<SegmentPlan> {
    if (this.#stored !== undefined && !isAgain) {
      const plan = planSegment(this.#stored, name, { upToGap: true });
      if (plan.kind === 'whole') return plan;
    }
    this.#stored = readWalLog(await this.#options.log.pieces());
    return planSegment(this.#stored, name, { upToGap: false });
  }

  #look(record: WalRecord): void {
    if (this.cutAt !== undefined || this.isPassed) return;
    const { until, stopsByItself } = this.#options;
    if (until !== undefined && (transactionEndOf(record) ?? 0n) > until) {
      this.isPassed = true;
      if (stopsByItself !== true) this.cutAt = { position: record.start };
      return;
    }
    const tablespace = tablespaceOf(record);
    if (tablespace === undefined) {
      this.#end = record.end;
      return;
    }
    if (record.end <= this.#options.consistentFrom) throw tablespaceInBackup(tablespace);
    this.cutAt = { position: record.start, tablespace };
  }
}

/** A server that replays this would take the tablespace's own folder, in which the backed-up server may be at work. */
export function tablespaceInBackup(tablespace: string): HoldfastError {
  const message = `The tablespace ${tablespace} was made while this backup was, and to replay that would use the very folder, which a server of this machine may use. Make another backup: that will be drilled.`;
  return new HoldfastError('unsupported', 'tablespace-made-during-backup', message, { details: { tablespace } });
}

/** A moment that lies behind that cannot be had from this backup, and an earlier one would not be what was asked for. */
export function tablespaceBeforeMoment(tablespace: string, moment: string): HoldfastError {
  const message = `The tablespace ${tablespace} was made between this backup and ${moment}, and to replay that would use the very folder, which a server of this machine may use. Drill a moment before it, or one after the next backup.`;
  return new HoldfastError('unsupported', 'tablespace-made-before-moment', message, { details: { tablespace } });
}

/** What a drill says of a log that it did not replay to its end. */
export function cutWarning({ position, tablespace }: { position: Lsn; tablespace: string }): string {
  return `The log was replayed to ${formatLsn(position)}, where the tablespace ${tablespace} was made: a throw-away server must not touch that folder. Make a new backup, whose drills replay what follows.`;
}
