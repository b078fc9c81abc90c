import type { CaptureContext } from '../../core/ports/resource-log.ts';
import type { Session } from '../postgresql/session.ts';
import { CURRENT_LSN, readSlot } from './capture-slot.ts';
import { formatLsn, type Lsn, lastOf, parseLsn } from './wal-position.ts';

export interface ReportOptions {
  context: CaptureContext;
  session: Session;
  slot: string;
  maxLagBytes: number;
}

const INTERVAL_MILLISECONDS = 5000;

/** Tells how far the log is stored and how far the server is, and warns when the distance grows too large. */
export class CaptureReports {
  readonly #options: ReportOptions;
  #timeline = 0;
  #position: Lsn = 0n;
  #source: Lsn = 0n;
  #details: Record<string, string | number | boolean> = {};
  #isLate = false;
  #timer: NodeJS.Timeout | undefined;
  /** Rejects when the server no longer answers, and never resolves. */
  readonly failed: Promise<never>;
  readonly #fail: (reason: unknown) => void;

  constructor(options: ReportOptions) {
    this.#options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.failed = promise;
    this.#fail = reject;
  }

  /** Begins to ask the server at intervals. */
  async begin(timeline: number, position: Lsn): Promise<void> {
    this.#timeline = timeline;
    this.#position = position;
    await this.#ask();
    this.#plan();
  }

  stored(position: Lsn): void {
    this.#position = position;
    this.#tell();
  }

  /** The server told its position by itself. */
  heard(source: Lsn): void {
    this.#source = lastOf(this.#source, source);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#ask().then(() => {
        if (this.#timer === timer) this.#plan();
      }, this.#fail);
    }, INTERVAL_MILLISECONDS);
    this.#timer = timer;
  }

  async #ask(): Promise<void> {
    const { session, slot } = this.#options;
    const { position } = await session.row<{ position: string | null }>(`SELECT (${CURRENT_LSN})::text AS position`);
    const found = await readSlot(session, slot);
    if (position !== null) this.#source = parseLsn(position);
    this.#details = {
      slot,
      timeline: this.#timeline,
      retainedBytes: found?.retainedBytes ?? 0,
      walStatus: found?.walStatus ?? 'missing',
      ...(found?.safeBytes === undefined ? {} : { safeWalSize: found.safeBytes }),
    };
    this.#tell();
  }

  #tell(): void {
    const lagBytes = this.#source > this.#position ? Number(this.#source - this.#position) : 0;
    this.#options.context.report({
      position: formatLsn(this.#position),
      sourcePosition: formatLsn(lastOf(this.#source, this.#position)),
      lagBytes,
      details: this.#details,
    });
    this.#alarm(lagBytes);
  }

  /** Once, until it has fallen to half of the limit. */
  #alarm(lagBytes: number): void {
    const { maxLagBytes, context, slot } = this.#options;
    if (this.#isLate) this.#isLate = lagBytes > maxLagBytes / 2;
    else if (lagBytes > maxLagBytes) {
      this.#isLate = true;
      context.warn(
        `The stored WAL is ${lagBytes} bytes behind the server (alarm from ${maxLagBytes} on), which keeps them on its disk for the slot "${slot}". See whether the repository is slow or full.`,
      );
    }
  }
}
