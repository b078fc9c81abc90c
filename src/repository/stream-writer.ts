import { createHash } from 'node:crypto';
import type { StoredStream, WriteStreamOptions } from '../core/ports/repository.ts';
import type { ContentSegment } from '../core/tree-entry.ts';
import { buildContent, type StorePages } from './content-list.ts';
import { EarlierChunks } from './earlier-chunks.ts';
import { type Batch, type BatchChunk, type BatchState, type CutBatch, FIRST_BATCH } from './pipeline/cut-batch.ts';

export interface StreamWriterOptions {
  /** bytes */
  longestChunk: number;
  inlineLimit: number;
  /** Finds the chunks of a batch. */
  cut: (batch: Batch) => Promise<CutBatch>;
  /** Stores chunks, given one after another with their ends and, where they are known, their ids; resolves with their segments. */
  storeChunks: (
    bytes: Uint8Array,
    ends: readonly number[],
    ids: readonly (Uint8Array | undefined)[],
  ) => Promise<ContentSegment[]>;
  storePages: StorePages;
  /** Told of content that stays in the snapshot object. */
  onInline: (bytes: Uint8Array) => void;
  signal: AbortSignal | undefined;
}

/**
 * Gathers a stream in batches, which worker threads cut where the content says so and store, a bounded number of them at a time: memory
 * stays constant whatever the length. Content up to the inline limit stays where it is.
 */
export async function writeStream(
  source: AsyncIterable<Uint8Array>,
  options: StreamWriterOptions,
  caller: WriteStreamOptions,
): Promise<StoredStream> {
  const hash = createHash('sha256');
  const earlier = caller.expected === undefined ? undefined : await EarlierChunks.shared(caller.expected);
  const batches = new BatchedStream(options, earlier);
  const inlineLimit = Math.min(caller.inlineLimit ?? options.inlineLimit, options.inlineLimit);
  let held: Uint8Array[] | undefined = [];
  let length = 0;
  for await (const bytes of source) {
    options.signal?.throwIfAborted();
    hash.update(bytes);
    length += bytes.length;
    if (held !== undefined && length <= inlineLimit) held.push(Uint8Array.from(bytes));
    else {
      for (const piece of held ?? []) await batches.add(piece);
      held = undefined;
      await batches.add(bytes);
    }
    caller.onBytes?.(length);
  }
  const sha256 = hash.digest('hex');
  if (held !== undefined) {
    const inline = Buffer.concat(held);
    options.onInline(inline);
    return { length, sha256, root: { kind: 'stream', length, content: { inline } } };
  }
  const segments = await batches.finish();
  const content = await buildContent(segments, options.storePages);
  return { length, sha256, root: { kind: 'stream', length, content } };
}

/** What is gathered of one batch: before the bytes that are read is room for what the batch before leaves of an unfinished chunk. */
interface Gathered {
  memory: Buffer;
  start: number;
  end: number;
}

class BatchedStream {
  readonly #options: StreamWriterOptions;
  readonly #earlier: SharedArrayBuffer | undefined;
  readonly #segments: Promise<ContentSegment[]>[] = [];
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Memory that worker threads have done with: what was touched before is much faster than fresh one. */
  readonly #free: Buffer[] = [];
  #gathered: Gathered | undefined;
  /** Resolves when the batch before is cut, and what it leaves lies before the bytes of this one. */
  #turn: Promise<BatchState> = Promise.resolve(FIRST_BATCH);
  #failure: { error: unknown } | undefined;

  constructor(options: StreamWriterOptions, earlier: EarlierChunks | undefined) {
    this.#options = options;
    this.#earlier = earlier?.memory as SharedArrayBuffer | undefined;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#gathered ??= this.#begin();
      const gathered: Gathered = this.#gathered;
      const length = Math.min(bytes.length - at, gathered.memory.length - gathered.end);
      // `set` goes word by word where memory is shared.
      Buffer.from(bytes.buffer, bytes.byteOffset + at, length).copy(gathered.memory, gathered.end);
      gathered.end += length;
      at += length;
      if (gathered.end === gathered.memory.length) {
        const following = this.#begin();
        this.#send(gathered, following);
        this.#gathered = following;
        await this.#untilFewInFlight();
      }
    }
  }

  async finish(): Promise<ContentSegment[]> {
    if (this.#gathered !== undefined) this.#send(this.#gathered, undefined);
    const segments: ContentSegment[] = [];
    for (const batch of this.#segments) for (const segment of await batch) segments.push(segment);
    await Promise.all(this.#inFlight);
    // The next stream uses this one's memory. After a failure a worker might still be reading it.
    SPARE.push(...this.#free.splice(0, SPARE_KEPT - SPARE.length));
    return segments;
  }

  #begin(): Gathered {
    const { longestChunk } = this.#options;
    const length = longestChunk + Math.max(longestChunk, Math.min(BATCH_BYTES, longestChunk * 2));
    const at = SPARE.findIndex((each) => each.length === length);
    const spare = this.#free.pop() ?? SPARE.splice(at < 0 ? SPARE.length : at, 1)[0];
    const memory = spare ?? Buffer.from(new SharedArrayBuffer(length));
    return { memory, start: longestChunk, end: longestChunk };
  }

  /** @param following begins with what this one leaves of an unfinished chunk; without it the stream ends here */
  #send(gathered: Gathered, following: Gathered | undefined): void {
    const cutting = this.#turn.then((state) => this.#cut(gathered, state, following));
    this.#turn = cutting.then(({ state }) => state);
    const stored = cutting.then(({ chunks }) => this.#store(gathered, chunks));
    this.#segments.push(stored);
    const settled = Promise.all([stored, this.#turn]).then(
      () => {
        this.#free.push(gathered.memory);
      },
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    this.#inFlight.add(settled);
    void settled.finally(() => this.#inFlight.delete(settled));
  }

  async #cut(gathered: Gathered, state: BatchState, following: Gathered | undefined): Promise<CutBatch> {
    const { memory, start, end } = gathered;
    const bytes = memory.subarray(start, end);
    const cut = await this.#options.cut({ bytes, isEnd: following === undefined, state, earlier: this.#earlier });
    if (following !== undefined) {
      const rest = bytes.subarray(cut.chunks.at(-1)?.end ?? 0);
      following.start -= rest.length;
      rest.copy(following.memory, following.start);
    }
    return cut;
  }

  async #store({ memory, start }: Gathered, chunks: readonly BatchChunk[]): Promise<ContentSegment[]> {
    const runs: Promise<ContentSegment[]>[] = [];
    for (let first = 0; first < chunks.length; ) {
      const { id, end, isStored } = chunks[first] as BatchChunk;
      const from = chunks[first - 1]?.end ?? 0;
      if (isStored && id !== undefined) {
        runs.push(Promise.resolve([{ id, length: end - from }]));
        first++;
        continue;
      }
      const known = chunks.findIndex((chunk, index) => index > first && chunk.isStored);
      const run = chunks.slice(first, known < 0 ? chunks.length : known);
      const bytes = memory.subarray(start + from, start + (run.at(-1)?.end ?? from));
      runs.push(
        this.#options.storeChunks(
          bytes,
          run.map((chunk) => chunk.end - from),
          run.map((chunk) => chunk.id),
        ),
      );
      first += run.length;
    }
    return (await Promise.all(runs)).flat();
  }

  async #untilFewInFlight(): Promise<void> {
    while (this.#inFlight.size > BATCHES_IN_FLIGHT) await Promise.race(this.#inFlight);
    this.#options.signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Many small streams one after another (a log) would each leave their buffers to a garbage collector that is in no hurry. */
const SPARE: Buffer[] = [];
const SPARE_KEPT = 4;
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCHES_IN_FLIGHT = 3;
