import { HoldfastError } from '../../core/errors.ts';
import type { LogReading } from '../../core/ports/resource-log.ts';
import type { DrillContext, DrillFinding } from '../../core/ports/service-drill.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { bytesOf, nextSegment, planSegment, type SegmentPlan, whileReplaced } from './wal-assembly.ts';
import { requireSegmentHeader, SEGMENT_HEADER_BYTES } from './wal-page.ts';
import { readWalLog, type WalLog, type WalPiece } from './wal-pieces.ts';
import { formatLsn, parseLsn, startOfSegment } from './wal-position.ts';

/**
 * Where the log of a cluster goes on after a backup.
 * @returns in words, why it does not; `lost` where it did once: it was kept before, and nobody told of a gap
 */
export function logAfter(
  { segments }: WalLog,
  { timeline, startLsn, stopLsn, walSegmentBytes }: RecordedCluster,
): { first: WalPiece } | { absent: string } | { lost: string } {
  const start = startOfSegment(parseLsn(startLsn), walSegmentBytes);
  const own = segments.filter((piece) => piece.timeline === timeline && piece.end > start);
  // The backup itself holds what a log lacks that was begun while it was made.
  const first = own[0];
  if (first === undefined || !own.some(({ end }) => end > parseLsn(stopLsn)))
    return { absent: `No WAL is kept after this backup (${stopLsn})` };
  if (first.start > parseLsn(stopLsn)) {
    const isBegunBefore = segments.some((piece) => piece.timeline === timeline && piece.end <= start);
    if (isBegunBefore && first.gapFrom === undefined)
      return {
        lost: `The WAL from ${stopLsn} to ${formatLsn(first.start)}, right after this backup, is not in the log`,
      };
    return { absent: `The log begins at ${formatLsn(first.start)}, after this backup` };
  }
  return { first };
}

/**
 * Reads all WAL that is kept from a backup on, whose chunks are compared with what came from the server, and looks that none is
 * missing in between: each moment up to its end can be restored from this backup.
 * @param known names of segments that were read already, as a whole
 */
export async function checkLog(
  { log, checks, signal, report }: Pick<DrillContext, 'log' | 'checks' | 'signal' | 'report'>,
  cluster: RecordedCluster,
  known: ReadonlySet<string> = new Set(),
): Promise<void> {
  if (log === undefined) return;
  const stored = readWalLog(await log.pieces());
  if (stored.segments.length === 0) return;
  await checks.make(
    {
      name: 'log',
      kind: 'content',
      description:
        'All WAL from the beginning of the backup to the end of the log can be read, and none of it is missing',
      expected: 'no gap and no damage',
    },
    async () => {
      const onSegment = (current: string) => report({ percent: 90, phase: 'reading the log', current });
      return new LogCheck(stored, { log, signal, known, onSegment }).judge(cluster);
    },
  );
}

interface LogCheckOptions {
  log: LogReading;
  signal: AbortSignal;
  known: ReadonlySet<string>;
  onSegment(name: string): void;
}

class LogCheck {
  readonly #options: LogCheckOptions;
  #stored: WalLog;
  #segments = 0;
  #bytes = 0;
  #end = '';

  constructor(stored: WalLog, options: LogCheckOptions) {
    this.#stored = stored;
    this.#options = options;
  }

  async judge(cluster: RecordedCluster): Promise<DrillFinding> {
    const { segments } = this.#stored;
    const { timeline } = cluster;
    const after = logAfter(this.#stored, cluster);
    if ('absent' in after) return { outcome: 'not-applicable', found: after.absent };
    if ('lost' in after) return { outcome: 'failed', found: after.lost };
    try {
      await this.#follow(after.first.segment);
      for (const later of new Set(segments.map((piece) => piece.timeline).filter((each) => each > timeline))) {
        const begin = segments.find((piece) => piece.timeline === later);
        if (begin !== undefined) await this.#follow(begin.segment);
      }
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'wal-gap') throw error;
      return { outcome: 'failed', found: error.message };
    }
    return { outcome: 'passed', found: `${this.#segments} segments, ${this.#bytes} bytes, up to ${this.#end}` };
  }

  /** Reads a segment and those that follow on its timeline, as a server asks for them. */
  async #follow(first: string): Promise<void> {
    const { log, signal, onSegment } = this.#options;
    for (let name = first; ; ) {
      signal.throwIfAborted();
      onSegment(name);
      const plan = await whileReplaced(async (isAgain) => {
        if (isAgain) this.#stored = readWalLog(await log.pieces());
        return this.#read(name);
      });
      if (plan.kind !== 'whole') return;
      name = nextSegment(name, plan.segmentBytes);
    }
  }

  async #read(name: string): Promise<SegmentPlan> {
    const plan = planSegment(this.#stored, name, { upToGap: false });
    if (plan.kind === 'absent') return plan;
    let head = Buffer.alloc(0);
    let length = 0;
    const isKnown = plan.kind === 'whole' && this.#options.known.has(name);
    if (isKnown) length = plan.segmentBytes;
    for await (const bytes of bytesOf(this.#options.log, isKnown ? [] : plan.parts)) {
      if (head.length < SEGMENT_HEADER_BYTES) head = Buffer.concat([head, bytes]).subarray(0, SEGMENT_HEADER_BYTES);
      length += bytes.length;
    }
    if (head.length >= SEGMENT_HEADER_BYTES) requireSegmentHeader(head, name, plan);
    this.#segments++;
    this.#bytes += length;
    this.#end = formatLsn(plan.start + BigInt(length));
    return plan;
  }
}
