import { createHash } from 'node:crypto';
import type { StoredStream, WriteStreamOptions } from '../core/ports/repository.ts';
import type { ContentSegment } from '../core/tree-entry.ts';
import type { Chunker } from './chunker.ts';
import { buildContent, type StorePages } from './content-list.ts';

export interface StreamWriterOptions {
  chunker: Chunker;
  inlineLimit: number;
  /** Stores chunks, given one after another with their ends; resolves with their segments. */
  storeChunks: (bytes: Uint8Array, ends: readonly number[]) => Promise<ContentSegment[]>;
  storePages: StorePages;
  /** Told of content that stays in the snapshot object. */
  onInline: (bytes: Uint8Array) => void;
  signal: AbortSignal | undefined;
}

/**
 * Cuts a stream where its content says so and hands the chunks to the worker threads in batches, a bounded number of which
 * are under way: memory stays constant whatever the length. Content up to the inline limit stays where it is.
 */
export async function writeStream(
  source: AsyncIterable<Uint8Array>,
  options: StreamWriterOptions,
  caller: WriteStreamOptions,
): Promise<StoredStream> {
  const hash = createHash('sha256');
  const cutter = new StreamCutter(options);
  const inlineLimit = Math.min(caller.inlineLimit ?? options.inlineLimit, options.inlineLimit);
  let held: Uint8Array[] | undefined = [];
  let length = 0;
  for await (const bytes of source) {
    options.signal?.throwIfAborted();
    hash.update(bytes);
    length += bytes.length;
    if (held !== undefined && length <= inlineLimit) held.push(Uint8Array.from(bytes));
    else {
      for (const earlier of held ?? []) await cutter.add(earlier);
      held = undefined;
      await cutter.add(bytes);
    }
    caller.onBytes?.(length);
  }
  const sha256 = hash.digest('hex');
  if (held !== undefined) {
    const inline = Buffer.concat(held);
    options.onInline(inline);
    return { length, sha256, root: { kind: 'stream', length, content: { inline } } };
  }
  const segments = await cutter.finish();
  cutter.end();
  const content = await buildContent(segments, options.storePages);
  return { length, sha256, root: { kind: 'stream', length, content } };
}

class StreamCutter {
  readonly #options: StreamWriterOptions;
  readonly #segments: Promise<ContentSegment[]>[] = [];
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Buffers that worker threads have done with: memory that was touched before is much faster than fresh one. */
  readonly #free: Buffer[] = [];
  #buffer: Buffer | undefined;
  #filled = 0;
  /** Up to here was looked for the end of the chunk that the buffer begins with. */
  #seen = 0;
  #failure: unknown;

  constructor(options: StreamWriterOptions) {
    this.#options = options;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#buffer ??= this.#newBuffer();
      const length = Math.min(bytes.length - at, this.#buffer.length - this.#filled);
      // `set` goes word by word where memory is shared.
      Buffer.from(bytes.buffer, bytes.byteOffset + at, length).copy(this.#buffer, this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled === this.#buffer.length) await this.#send(false);
    }
  }

  #newBuffer(): Buffer {
    const { maximum } = this.#options.chunker.sizes;
    // Room for one chunk at least: of fewer bytes the chunker may ask for more, for ever.
    const length = Math.max(maximum, Math.min(BATCH_BYTES, maximum * 2));
    const at = SPARE.findIndex((each) => each.length === length);
    return SPARE.splice(at < 0 ? SPARE.length : at, 1)[0] ?? Buffer.from(new SharedArrayBuffer(length));
  }

  async finish(): Promise<ContentSegment[]> {
    await this.#send(true);
    const segments: ContentSegment[] = [];
    for (const batch of this.#segments) for (const segment of await batch) segments.push(segment);
    return segments;
  }

  /** Lets the next stream use this one's buffers, once all of it is stored. After a failure a worker may still be reading them. */
  end(): void {
    if (this.#buffer !== undefined) this.#free.push(this.#buffer);
    SPARE.push(...this.#free.splice(0, SPARE_KEPT - SPARE.length));
    this.#buffer = undefined;
  }

  /** Sends all chunks that are complete; the rest, less than one chunk, begins the next buffer. */
  async #send(last: boolean): Promise<void> {
    const { chunker, storeChunks, signal } = this.#options;
    const full = this.#buffer;
    if (full === undefined) return;
    const ends: number[] = [];
    let start = 0;
    while (start < this.#filled) {
      const seen = Math.max(start, this.#seen);
      const end = chunker.find(full, start, this.#filled, seen) ?? (last ? this.#filled : undefined);
      if (end === undefined) break;
      start = end;
      ends.push(end);
    }
    if (ends.length === 0) return;
    this.#buffer = this.#free.pop() ?? this.#newBuffer();
    // All of the rest was looked at already.
    this.#seen = this.#filled = full.copy(this.#buffer, 0, start, this.#filled);
    const stored = storeChunks(full.subarray(0, start), ends).finally(() => this.#free.push(full));
    this.#segments.push(stored);
    const settled = stored.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#inFlight.add(settled);
    void settled.finally(() => this.#inFlight.delete(settled));
    while (this.#inFlight.size > BATCHES_IN_FLIGHT) await Promise.race(this.#inFlight);
    signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Many small streams one after another (a log) would each leave their buffers to a garbage collector that is in no hurry. */
const SPARE: Buffer[] = [];
const SPARE_KEPT = 4;
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCHES_IN_FLIGHT = 3;
