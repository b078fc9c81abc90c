import type { ContentBuilder, ExpectedContent } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { Chunker } from '../chunker.ts';
import { ExpectedCuts } from '../expected-cuts.ts';
import { PACK_KIND, type PackKind } from '../pack-format.ts';

/** Names chunks and stores them. */
export interface ContentStore {
  identify(plain: Uint8Array): Buffer;
  put(kind: PackKind, plain: Uint8Array, id: Buffer): ContentSegment;
}

/** Cuts one content in a buffer that the source reads into directly. */
export class CutContent implements ContentBuilder {
  readonly #store: ContentStore;
  readonly #chunker: Chunker;
  readonly #expected: ExpectedCuts | undefined;
  readonly #buffer: Buffer;
  #start = 0;
  /** Up to here was looked for the end of the chunk at hand. */
  #seen = 0;
  #end = 0;
  /** What was expected of the chunk at hand has turned out to be wrong. */
  #isUnexpected = false;
  /** A chunk that would have begun here and was not the expected one: its end, and its id, which need not be computed again. */
  #identified: { end: number; id: Buffer } | undefined;
  readonly #segments: ContentSegment[] = [];
  #release: (() => void) | undefined;

  /** Room for the longest chunk and what is read meanwhile. */
  static newBuffer(chunker: Chunker): Buffer {
    return Buffer.allocUnsafeSlow(chunker.sizes.maximum + SPARE);
  }

  /** @param release gives the buffer back */
  constructor(
    store: ContentStore,
    chunker: Chunker,
    expected: ExpectedContent | undefined,
    buffer: Buffer,
    release: () => void,
  ) {
    this.#store = store;
    this.#chunker = chunker;
    this.#expected = expected === undefined ? undefined : new ExpectedCuts(expected);
    this.#buffer = buffer;
    this.#release = release;
  }

  room(): Uint8Array {
    if (this.#buffer.length - this.#end < READ_BLOCK) this.#moveToFront();
    return this.#buffer.subarray(this.#end, this.#end + READ_BLOCK);
  }

  advance(bytes: number): void {
    this.#end += bytes;
    while (this.#takeExpected(false) || this.#takeFound());
  }

  hole(length: number): void {
    this.#takeRest();
    this.#expected?.skipped(length);
    const last = this.#segments.at(-1);
    if (last !== undefined && last.id === null) last.length += length;
    else if (length > 0) this.#segments.push({ id: null, length });
  }

  finish(): ContentSegment[] {
    this.#takeRest();
    this.abandon();
    return this.#segments;
  }

  abandon(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #moveToFront(): void {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#seen -= this.#start;
    if (this.#identified !== undefined) this.#identified.end -= this.#start;
    this.#start = 0;
  }

  /**
   * Takes the chunk at hand if it is the expected one.
   * @param isEnd whether the run of bytes ends with those at hand
   * @returns whether it was
   */
  #takeExpected(isEnd: boolean): boolean {
    const length = this.#expected?.length;
    if (this.#expected === undefined || length === undefined || this.#isUnexpected) return false;
    const end = this.#start + length;
    if (end > this.#end) return false;
    const mayEnd = this.#chunker.endsAt(this.#buffer, this.#start, end);
    // It may be the last one, which ends where the run of bytes does.
    if (!mayEnd && end === this.#end && !isEnd) return false;
    this.#isUnexpected = true;
    if (!mayEnd && end < this.#end) return false;
    const id = this.#store.identify(this.#buffer.subarray(this.#start, end));
    const isExpected = this.#expected.matches(id);
    if (isExpected) this.#take(end, id);
    else this.#identified = { end, id };
    return isExpected;
  }

  /** Takes the chunk at hand if the chunker finds its end, which it does not look for while the expected one may come. */
  #takeFound(): boolean {
    if (this.#isAwaiting()) return false;
    const end = this.#chunker.find(this.#buffer, this.#start, this.#end, this.#seen);
    this.#seen = end ?? this.#end;
    if (end !== undefined) this.#take(end);
    return end !== undefined;
  }

  #isAwaiting(): boolean {
    const length = this.#expected?.length;
    return length !== undefined && !this.#isUnexpected && length <= this.#chunker.sizes.maximum;
  }

  /** A run of bytes ends here: what is awaited does not come. */
  #takeRest(): void {
    do {
      while (this.#takeExpected(true));
      this.#isUnexpected = true;
    } while (this.#takeFound());
    if (this.#end > this.#start) this.#take(this.#end);
    this.#isUnexpected = false;
    this.#start = 0;
    this.#seen = 0;
    this.#end = 0;
  }

  #take(end: number, known?: Buffer): void {
    const plain = this.#buffer.subarray(this.#start, end);
    const id = known ?? (this.#identified?.end === end ? this.#identified.id : this.#store.identify(plain));
    this.#segments.push(this.#store.put(PACK_KIND.data, plain, id));
    this.#expected?.passed(id, plain.length);
    this.#isUnexpected = false;
    this.#identified = undefined;
    this.#start = end;
    this.#seen = end;
  }
}

/** Few enough bytes that they are looked at while the processor still has them at hand. */
const READ_BLOCK = 256 * 1024;
/** Room beside the longest chunk; the more, the less often a chunk's begin is moved to the front. */
const SPARE = 2 * 1024 * 1024;
