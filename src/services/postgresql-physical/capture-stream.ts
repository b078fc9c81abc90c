import type { CaptureContext } from '../../core/ports/resource-log.ts';
import type { Connection } from '../postgresql/connection.ts';
import type { ReplicationConnection, TimelineSwitch } from './capture-connection.ts';
import { connectionLost } from './capture-failure.ts';
import type { CaptureReports } from './capture-reports.ts';
import type { CaptureStart } from './capture-start.ts';
import { CaptureWriter } from './capture-writer.ts';
import type { WalConfiguration } from './wal-schema.ts';

export interface TimelineOptions {
  context: CaptureContext;
  connection: Connection;
  replication: ReplicationConnection;
  reports: CaptureReports;
  wal: WalConfiguration;
  slot: string;
  systemIdentifier: string;
  segmentBytes: number;
}

/** How long an end waits for what has come in to be stored. */
const LAST_FLUSH_MILLISECONDS = 5000;
const STATUS_MILLISECONDS = 5000;

/**
 * Stores one timeline's WAL from a point on.
 * @returns which timeline follows, when this one has ended; undefined after an abort
 */
export async function streamTimeline(
  point: CaptureStart,
  options: TimelineOptions,
): Promise<TimelineSwitch | undefined> {
  const { context, replication, reports, wal } = options;
  const writer = new CaptureWriter({
    ...point,
    ...{ log: context.log, systemIdentifier: options.systemIdentifier, segmentBytes: options.segmentBytes },
    flushSeconds: wal.flushSeconds,
    onFlushed: (position) => {
      replication.sendStatus(position, false);
      reports.stored(position);
    },
    onPressure: (isFull) => (isFull ? replication.pause() : replication.resume()),
  });
  const life = new SignOfLife(options, writer);
  const aborted = untilAborted(context.signal);
  try {
    await reports.begin(point.timeline, writer.flushed);
    const stream = replication.stream(
      { slot: options.slot, timeline: point.timeline, start: point.start },
      {
        onWal: (start, bytes, serverEnd) => {
          life.heard();
          reports.heard(serverEnd);
          writer.add(start, bytes);
        },
        onKeepalive: (serverEnd, isReplyWanted) => {
          life.heard();
          reports.heard(serverEnd);
          if (!isReplyWanted) return;
          replication.sendStatus(writer.flushed, false);
          // A server that shuts down waits until all its WAL is acknowledged.
          if (writer.flushed < writer.received) writer.flushSoon();
        },
      },
    );
    stream.catch(() => undefined);
    life.begin();
    const end = await Promise.race([stream, aborted.promise, writer.failed, reports.failed, life.lost]);
    if (end !== undefined) await Promise.race([writer.finish(), writer.failed, aborted.promise]);
    return context.signal.aborted ? undefined : end;
  } finally {
    life.end();
    reports.stop();
    aborted.forget();
    await writer.end(LAST_FLUSH_MILLISECONDS);
  }
}

/** Tells the server at intervals how far the log is stored, asks it for an answer, and misses it when it is silent. */
class SignOfLife {
  readonly lost: Promise<never>;
  readonly #lose: (reason: unknown) => void;
  readonly #options: TimelineOptions;
  readonly #writer: CaptureWriter;
  #heardAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TimelineOptions, writer: CaptureWriter) {
    this.#options = options;
    this.#writer = writer;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.lost = promise;
    this.#lose = reject;
  }

  begin(): void {
    this.#timer = setInterval(() => this.#look(), STATUS_MILLISECONDS);
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { replication, connection, wal } = this.#options;
    replication.sendStatus(this.#writer.flushed, true);
    // Nothing is read while the repository is slower than the server.
    if (this.#writer.isFull) this.heard();
    const silence = (performance.now() - this.#heardAt) / 1000;
    if (silence > wal.timeoutSeconds)
      this.#lose(connectionLost(connection, `it was silent for ${Math.round(silence)} seconds`));
  }
}

function untilAborted(signal: AbortSignal): { promise: Promise<undefined>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = () => resolve(undefined);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', stop) };
}
