import { createHash } from 'node:crypto';
import type { LogPiece, ResourceLog } from '../../core/ports/resource-log.ts';
import { divergedLog } from './capture-failure.ts';
import { bytesOf, coveringParts } from './wal-assembly.ts';
import { requireSegmentHeader } from './wal-page.ts';
import { newSegmentPiece, readWalLog, unitBytesOf, type WalPiece } from './wal-pieces.ts';
import { formatLsn, type Lsn, lastOf, segmentName, startOfSegment } from './wal-position.ts';

export interface WriterOptions {
  log: ResourceLog;
  systemIdentifier: string;
  segmentBytes: number;
  timeline: number;
  /** Where the server will begin to send: the start of the first complete piece that is not stored. */
  start: Lsn;
  /** What is stored of that piece already. */
  stored: readonly WalPiece[];
  /** Where the log ended, if what lies between there and `start` is lost. */
  gapFrom?: Lsn;
  flushSeconds: number;
  /** Told after each piece. */
  onFlushed(position: Lsn): void;
  /** Told when the memory for what waits is used up, and when there is room again. */
  onPressure(isFull: boolean): void;
}

/** A complete piece in the making. */
interface Unit {
  start: Lsn;
  buffer: Buffer;
  /** Bytes received, and bytes of it that are stored. */
  received: number;
  stored: number;
  parts: { piece: LogPiece; start: number; end: number; level: number }[];
  gapFrom?: Lsn;
  isWhole: boolean;
}

/** Of complete parts of a large segment: higher than any that joining leads to. */
const UNIT_LEVEL = 9;
/** So many small pieces of the same level are put together into one. */
const PARTS_JOINED = 64;
const REMOVALS_AT_ONCE = 8;
/** Units in memory: one that is being stored, one that waits. With the beginning of a third, no more is taken. */
const MOST_UNITS = 2;

/**
 * Takes WAL as it comes and stores it, one piece after another: complete ones whole, and between them, at each interval,
 * what there is. While one is being stored the next bytes gather, so the busier the server, the larger the pieces.
 */
export class CaptureWriter {
  readonly #options: WriterOptions;
  readonly #unitBytes: number;
  readonly #units: Unit[] = [];
  readonly #spare: Buffer[] = [];
  #position: Lsn;
  #flushed: Lsn;
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> | undefined;
  /** Putting together and removing small pieces; nobody's commit waits for it. */
  #tidying: Promise<void> = Promise.resolve();
  #untidyUnits = 0;
  #isEnding = false;
  #isEnded = false;
  #failure: unknown;
  #isFull = false;
  #isCompared = false;
  /** Rejects when storing fails, and never resolves. */
  readonly failed: Promise<never>;
  readonly #fail: (reason: unknown) => void;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#unitBytes = unitBytesOf(options.segmentBytes);
    this.#position = options.start;
    this.#flushed = lastOf(options.start, ...options.stored.map(({ end }) => end));
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.failed = promise;
    this.#fail = reject;
  }

  /** Everything before it is durable. */
  get flushed(): Lsn {
    return this.#flushed;
  }

  /** Everything before it has come in. */
  get received(): Lsn {
    return lastOf(this.#position, this.#flushed);
  }

  /** Takes WAL that follows what came before. The bytes are copied. */
  add(start: Lsn, bytes: Buffer): void {
    if (this.#isEnding) return;
    if (start !== this.#position)
      throw new Error(`the server sent WAL from ${formatLsn(start)} where ${formatLsn(this.#position)} was due`);
    for (let at = 0; at < bytes.length; ) {
      const unit = this.#unitFor(this.#position);
      const taken = bytes.copy(unit.buffer, unit.received, at, at + this.#unitBytes - unit.received);
      unit.received += taken;
      at += taken;
      this.#position += BigInt(taken);
    }
    this.#look();
  }

  /** Stores what there is without waiting for the interval. */
  flushSoon(): void {
    this.#isDue = true;
    this.#look();
  }

  /** Whether no more can be taken at the moment. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Stores all that has come in. Where that fails it rejects. */
  async finish(): Promise<void> {
    this.flushSoon();
    await this.#idle();
    await this.#tidying;
    if (this.#failure !== undefined) await this.failed;
  }

  /** Stores what has come in, for as long as `milliseconds`; nothing is taken afterwards. */
  async end(milliseconds: number): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    this.flushSoon();
    await Promise.race([this.#idle(), late]);
    this.#isEnded = true;
    await Promise.race([this.#tidying, late]);
    clearTimeout(timer);
  }

  async #idle(): Promise<void> {
    while (this.#work !== undefined && this.#failure === undefined) await this.#work;
    clearTimeout(this.#timer);
  }

  #unitFor(position: Lsn): Unit {
    const last = this.#units.at(-1);
    if (last !== undefined && last.received < this.#unitBytes) return last;
    const { stored, start, gapFrom } = this.#options;
    const isFirst = position === start;
    const parts = isFirst ? stored.map((piece) => this.#partOf(piece)) : [];
    const gap = isFirst ? (gapFrom ?? stored.find((piece) => piece.gapFrom !== undefined)?.gapFrom) : undefined;
    const unit: Unit = {
      start: position,
      buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#unitBytes),
      received: 0,
      stored: isFirst ? Number(this.#flushed - start) : 0,
      parts,
      isWhole: false,
      ...(gap === undefined ? {} : { gapFrom: gap }),
    };
    this.#units.push(unit);
    return unit;
  }

  #partOf({ piece, start, end, level }: WalPiece): Unit['parts'][number] {
    return { piece, level, start: Number(start - this.#options.start), end: Number(end - this.#options.start) };
  }

  /** Begins to store if there is something to store and nothing is being stored. */
  #look(): void {
    this.#regulate();
    if (this.#work !== undefined || this.#failure !== undefined || this.#isEnded) return;
    const [unit] = this.#units;
    if (unit === undefined || !this.#isReady(unit)) return;
    this.#work = this.#store(unit)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#work = undefined;
        this.#look();
      });
  }

  #failed(error: unknown): void {
    this.#failure ??= error;
    this.#fail(error);
  }

  /** What is not done when the capture ends is done by the next one. */
  #tidy(work: () => Promise<void>): void {
    const next = async () => {
      if (!this.#isEnded && this.#failure === undefined) await work();
    };
    this.#tidying = this.#tidying.then(next).catch((error: unknown) => this.#failed(error));
  }

  #isReady(unit: Unit): boolean {
    if (unit.received === this.#unitBytes) return true;
    if (unit.received <= unit.stored) {
      this.#isDue = false;
      return false;
    }
    if (this.#isDue || this.#options.flushSeconds === 0) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flushSoon();
    }, this.#options.flushSeconds * 1000);
    return false;
  }

  async #store(unit: Unit): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isCompared) await this.#compareStored(unit);
    if (unit.received === this.#unitBytes) await this.#storeWhole(unit);
    else await this.#storePart(unit);
  }

  /** What was stored before comes once more, to complete the piece: it must be the same. */
  async #compareStored(unit: Unit): Promise<void> {
    for (const { piece, start, end } of unit.parts) {
      if ((await this.#options.log.read(piece)).equals(unit.buffer.subarray(start, end))) continue;
      throw divergedLog(`The WAL from ${piece.from} to ${piece.to} differs from what is stored`);
    }
    this.#isCompared = true;
  }

  async #storeWhole(unit: Unit): Promise<void> {
    const bytes = unit.buffer.subarray(0, this.#unitBytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const isPartial = this.#unitBytes < this.#options.segmentBytes;
    const level = isPartial ? UNIT_LEVEL : 0;
    await this.#append(unit, { start: 0, end: this.#unitBytes, isPartial, level, sha256 });
    unit.isWhole = true;
    this.#units.shift();
    this.#flushedUpTo(unit, this.#unitBytes);
    this.#untidyUnits++;
    this.#tidy(async () => {
      await this.#remove(unit.parts.map(({ piece }) => piece));
      this.#spare.push(unit.buffer);
      if (isPartial) await this.#joinSegment(unit.start + BigInt(this.#unitBytes));
      this.#untidyUnits--;
      this.#look();
    });
  }

  async #storePart(unit: Unit): Promise<void> {
    const { stored: start, received: end } = unit;
    this.#isDue = false;
    const piece = await this.#append(unit, { start, end, isPartial: true, level: 0 });
    unit.parts.push({ piece, start, end, level: 0 });
    unit.stored = end;
    this.#flushedUpTo(unit, end);
    if (unit.parts.filter(({ level }) => level === 0).length % PARTS_JOINED === 0) this.#tidy(() => this.#join(unit));
  }

  /** As a log-structured merge tree does: few pieces, and each byte is written again once for each level only. */
  async #join(unit: Unit): Promise<void> {
    for (let level = 0; !unit.isWhole; level++) {
      const joined = unit.parts.filter((part) => part.level === level);
      const first = joined[0];
      const last = joined.at(-1);
      if (joined.length < PARTS_JOINED || first === undefined || last === undefined) return;
      const range = { start: first.start, end: last.end };
      const piece = await this.#append(unit, { ...range, isPartial: true, level: level + 1 });
      unit.parts = [...unit.parts.filter((part) => !joined.includes(part)), { ...range, piece, level: level + 1 }];
      unit.parts.sort((a, b) => a.start - b.start);
      await this.#remove(joined.map((part) => part.piece));
    }
  }

  /** A large segment becomes one piece when it is complete: it is read from those that hold it. */
  async #joinSegment(end: Lsn): Promise<void> {
    const { log, segmentBytes, timeline, systemIdentifier } = this.#options;
    if (end !== startOfSegment(end, segmentBytes)) return;
    const start = end - BigInt(segmentBytes);
    const stored = readWalLog(await log.pieces()).bySegment.get(segmentName(timeline, start, segmentBytes)) ?? [];
    const parts = coveringParts(stored, start, end);
    if (parts.reduce((sum, { length }) => sum + length, 0) !== segmentBytes) return;
    const gapFrom = stored.find((piece) => piece.start === start && piece.gapFrom !== undefined)?.gapFrom;
    const about = { timeline, systemIdentifier, segmentBytes, start, end, isPartial: false, level: 0 };
    await log.append(newSegmentPiece({ ...about, ...(gapFrom === undefined ? {} : { gapFrom }) }, bytesOf(log, parts)));
    const replaced = stored.filter(({ isPartial }) => isPartial);
    await this.#remove(replaced.map(({ piece }) => piece));
  }

  /** Several at once: each waits for the disk a few times. */
  async #remove(pieces: readonly LogPiece[]): Promise<void> {
    const waiting = [...pieces];
    const removeNext = async () => {
      for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift())
        await this.#options.log.remove([piece]);
    };
    await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, removeNext));
  }

  #append(
    unit: Unit,
    part: { start: number; end: number; isPartial: boolean; level: number; sha256?: string },
  ): Promise<LogPiece> {
    const { log, timeline, systemIdentifier, segmentBytes } = this.#options;
    const start = unit.start + BigInt(part.start);
    const bytes = unit.buffer.subarray(part.start, part.end);
    if (start === startOfSegment(start, segmentBytes) && bytes.length > 8192)
      requireSegmentHeader(bytes, segmentName(timeline, start, segmentBytes), {
        start,
        systemIdentifier,
        segmentBytes,
      });
    const about = { ...part, timeline, systemIdentifier, segmentBytes, start, end: unit.start + BigInt(part.end) };
    const gap = part.start === 0 && unit.gapFrom !== undefined ? { gapFrom: unit.gapFrom } : {};
    return log.append(newSegmentPiece({ ...about, ...gap }, [bytes]));
  }

  #flushedUpTo(unit: Unit, end: number): void {
    const position = unit.start + BigInt(end);
    this.#flushed = lastOf(this.#flushed, position);
    this.#options.onFlushed(this.#flushed);
  }

  #regulate(): void {
    const isFull = this.#units.length + this.#untidyUnits > MOST_UNITS;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#options.onPressure(isFull);
  }
}
