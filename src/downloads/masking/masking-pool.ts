import { HoldfastError } from '../../core/errors.ts';
import { expectBack } from '../../core/given-back.ts';
import type { MaskingRun, TableCounts } from './masking-run.ts';
import { BlockError, givenUp, MaskingThread } from './masking-thread.ts';
import type { RowSource } from './row-format.ts';
import type { MaskedRows } from './thread-messages.ts';

/** What a content is made into: bytes that stay as they are, and blocks of whole rows that are to be masked. */
export type ContentPart = Uint8Array | RowBlockPart;

export interface RowBlockPart {
  /** The same object for all blocks of the same rows. */
  rows: RowSource;
  /** Whole rows. Their memory is taken: an ArrayBuffer of their own is moved to a thread, otherwise they are copied. */
  bytes: Uint8Array;
  /** True where nobody else looks at the ArrayBuffer that they are a part of: it is moved as well. */
  ownsMemory?: boolean;
  /** Ordinal of the block's first row within its table; needed where the run selects rows of that table. */
  firstOrdinal?: number;
}

export interface MaskingPoolOptions {
  /** The threads' program: one that calls `serveBlocks`. */
  program?: URL;
  /** Milliseconds that a block may take, default 60,000. */
  longestBlock?: number;
}

/**
 * The bytes of a content whose blocks of rows are masked in worker threads, in their order. Threads are started when the first block comes and are ended on every way out;
 * counts of masked tables are added to `run.counts`.
 * @throws HoldfastError `variant-failed` (invalid) naming the table, never a value; the abort's reason
 */
export async function* maskedContent(
  parts: AsyncIterable<ContentPart>,
  run: MaskingRun,
  options: MaskingPoolOptions = {},
): AsyncGenerator<Uint8Array> {
  const pool = new MaskingPool(run, options);
  try {
    yield* pool.inOrder(parts);
  } finally {
    await pool.close();
  }
}

/** Threads that mask one content after another. Whoever opens it must close it. */
export interface OpenMaskingPool {
  /** As `maskedContent`, but the threads stay. What was given is read to its end before the next content is begun; after an error there is no next. */
  inOrder(parts: AsyncIterable<ContentPart>): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/** For contents of many small parts whose bytes are wanted by themselves: a thread takes longer to start than to mask such a part. */
export function openMaskingPool(run: MaskingRun, options: MaskingPoolOptions = {}): OpenMaskingPool {
  return new MaskingPool(run, options);
}

/** Blocks given to a thread before it has answered: one is masked, one waits. */
const AHEAD = 2;
/** Bytes that so many blocks may have; larger ones wait until others are done. One block is always taken, however large. */
const BLOCK_BYTES = 2 << 20;
/** Of so many blocks of a table, the first is looked at by the canary. */
const WATCHED_OF = 32;
/** Bytes that wait behind a block that is being masked. */
const MOST_WAITING = 4 << 20;

type Waiting = { bytes: Uint8Array } | { rows: RowSource; length: number; masked: Promise<MaskedRows> };

class MaskingPool implements OpenMaskingPool {
  readonly #run: MaskingRun;
  readonly #most: number;
  readonly #program: URL;
  readonly #longestBlock: number;
  readonly #threads: MaskingThread[] = [];
  readonly #sources = new Map<RowSource, { number: number; blocks: number }>();
  readonly #abort = () => void this.close();

  constructor(run: MaskingRun, { program = PROGRAM, longestBlock = 60_000 }: MaskingPoolOptions) {
    this.#run = run;
    this.#most = Math.max(1, run.threads);
    this.#program = program;
    this.#longestBlock = longestBlock;
    run.signal.addEventListener('abort', this.#abort, { once: true });
  }

  async *inOrder(parts: AsyncIterable<ContentPart>): AsyncGenerator<Uint8Array> {
    const waiting: Waiting[] = [];
    let [blocks, blockBytes, bytes] = [0, 0, 0];
    const mostBlocks = AHEAD * this.#most;
    const first = async () => {
      const head = waiting.shift();
      if (head === undefined || 'bytes' in head) {
        bytes -= head?.bytes.length ?? 0;
        return head?.bytes;
      }
      blocks--;
      blockBytes -= head.length;
      return this.#counted(head.rows, await this.#outcome(head));
    };
    this.#run.signal.throwIfAborted();
    for await (const part of parts) {
      this.#run.signal.throwIfAborted();
      if (part instanceof Uint8Array) {
        if (waiting.length === 0) yield part;
        else bytes += waiting.push({ bytes: part }) && part.length;
      } else {
        const { length } = part.bytes;
        while (blocks > 0 && blockBytes + length > mostBlocks * BLOCK_BYTES) {
          const next = await first();
          if (next !== undefined && next.length > 0) yield next;
        }
        blocks++;
        blockBytes += length;
        const masked = this.#mask(part);
        // It is waited for in its turn; until then nobody is told.
        masked.catch(() => undefined);
        waiting.push({ rows: part.rows, length, masked });
      }
      while (blocks >= mostBlocks || bytes > MOST_WAITING) {
        const next = await first();
        if (next !== undefined && next.length > 0) yield next;
      }
    }
    while (waiting.length > 0) {
      const next = await first();
      if (next !== undefined && next.length > 0) yield next;
    }
    this.#run.signal.throwIfAborted();
  }

  async close(): Promise<void> {
    this.#run.signal.removeEventListener('abort', this.#abort);
    await Promise.all(this.#threads.map((thread) => thread.end(givenUp())));
  }

  #mask({ rows, bytes, ownsMemory = false, firstOrdinal = 0 }: RowBlockPart): Promise<MaskedRows> {
    const source = this.#sources.get(rows) ?? { number: this.#sources.size, blocks: 0 };
    this.#sources.set(rows, source);
    const isWatched = source.blocks++ % WATCHED_OF === 0;
    return this.#thread().mask(
      { number: source.number, rows },
      { bytes: ownMemory(bytes, ownsMemory), firstOrdinal, isWatched },
    );
  }

  #thread(): MaskingThread {
    const idlest = this.#threads.reduce<MaskingThread | undefined>(
      (least, each) => (least === undefined || each.load < least.load ? each : least),
      undefined,
    );
    if (idlest !== undefined && (idlest.load === 0 || this.#threads.length >= this.#most)) return idlest;
    const { plan, key, selection, canary } = this.#run;
    const tables = plan.content.kind === 'tables' ? plan.content.tables : [];
    const watch = canary && { canary: { memory: canary.memory, detectors: plan.detectors } };
    const start = { tables, key, ...(selection && { selection }), ...watch };
    const thread = new MaskingThread(this.#program, start, this.#longestBlock);
    this.#threads.push(thread);
    return thread;
  }

  async #outcome({ rows, masked }: { rows: RowSource; masked: Promise<MaskedRows> }): Promise<MaskedRows> {
    try {
      return await masked;
    } catch (error) {
      this.#run.signal.throwIfAborted();
      if (!(error instanceof BlockError)) throw error;
      throw failed(rows, error, this.#run.counts.tables.get(rows.table)?.rowsIn ?? 0);
    }
  }

  #counted({ table }: RowSource, { bytes, rowsIn, rowsOut, watched }: MaskedRows): Uint8Array {
    if (watched !== undefined) this.#run.canary?.told(table, watched);
    const counts = countsOf(this.#run, table);
    counts.rowsIn += rowsIn;
    counts.rowsOut += rowsOut;
    return expectBack(bytes);
  }
}

const PROGRAM = new URL('./masking-worker.ts', import.meta.url);

/** The counts of a table, made where there are none. */
export function countsOf({ counts }: Pick<MaskingRun, 'counts'>, table: string): TableCounts {
  const known = counts.tables.get(table);
  if (known !== undefined) return known;
  const made = { rowsIn: 0, rowsOut: 0 };
  counts.tables.set(table, made);
  return made;
}

function ownMemory({ buffer, byteOffset, byteLength }: Uint8Array, ownsMemory: boolean): Uint8Array<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer && (ownsMemory || byteLength === buffer.byteLength))
    return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** @param before rows of the table in blocks before */
function failed({ table }: RowSource, { fault }: BlockError, before: number): HoldfastError {
  const row = fault.row === undefined ? undefined : before + fault.row + 1;
  const where = row === undefined ? `Table "${table}"` : `Row ${row} of table "${table}"`;
  const details = { ...fault.error?.details, table, ...(row === undefined ? {} : { row }) };
  if (fault.error !== undefined) {
    const { kind, code, message } = fault.error;
    return new HoldfastError(kind, code, row === undefined ? message : `${message} (row ${row})`, { details });
  }
  const what = fault.what ?? 'one of its rules failed';
  const message = `${where} cannot be masked: ${what}. Nothing more is given of the variant.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details });
}
