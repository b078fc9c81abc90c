import type { Chunker } from '../chunker.ts';
import type { ExpectedCuts } from '../expected-cuts.ts';

/** The end of the chunk at hand, and its id where that had to be computed to know. */
export interface FoundCut {
  end: number;
  id: Buffer | undefined;
}

/** What a search knows of a chunk whose end was not there yet, for another one to go on from. */
export interface SearchState {
  /** Bytes from the chunk's start in which was looked for its end. */
  seen: number;
  /** What was expected of the chunk has turned out to be wrong. */
  isUnexpected: boolean;
}

/** Finds the ends of chunks one after another: where an expectation has them, or else where the chunker does, which is the same. */
export class CutSearch {
  readonly #chunker: Chunker;
  readonly #identify: (plain: Uint8Array) => Buffer;
  readonly #expected: ExpectedCuts | undefined;
  #seen: number;
  #isUnexpected: boolean;
  /** A chunk that would have begun here and was not the expected one. Its id need not be computed again. */
  #identified: { length: number; id: Buffer } | undefined;

  constructor(
    chunker: Chunker,
    identify: (plain: Uint8Array) => Buffer,
    expected: ExpectedCuts | undefined,
    { seen, isUnexpected }: SearchState = NOTHING_SEEN,
  ) {
    this.#chunker = chunker;
    this.#identify = identify;
    this.#expected = expected;
    this.#seen = seen;
    this.#isUnexpected = isUnexpected;
  }

  get state(): SearchState {
    return { seen: this.#seen, isUnexpected: this.#isUnexpected };
  }

  /**
   * The cut of the chunk that begins at `start`, which `passed` is to be told before the next one is asked for.
   *
   * @param isEnd whether the run of bytes ends at `end`, and with it the last chunk
   * @returns undefined where more bytes are needed to tell, or none are left
   */
  next(bytes: Buffer, start: number, end: number, isEnd: boolean): FoundCut | undefined {
    if (start === end) return undefined;
    const expected = this.#expectedCut(bytes, start, end, isEnd);
    if (expected !== undefined) return expected;
    // Where the run of bytes ends, what is awaited does not come.
    if (isEnd) this.#isUnexpected = true;
    else if (this.#isAwaiting()) return undefined;
    const found = this.#chunker.find(bytes, start, end, start + this.#seen);
    this.#seen = (found ?? end) - start;
    const cut = found ?? (isEnd ? end : undefined);
    if (cut === undefined) return undefined;
    return { end: cut, id: this.#identified?.length === cut - start ? this.#identified.id : undefined };
  }

  /** @param id needed where something is expected */
  passed(id: Buffer | undefined, length: number): void {
    if (id !== undefined) this.#expected?.passed(id, length);
    this.#forgetChunk();
  }

  /** Tells of bytes between two runs. */
  skipped(length: number): void {
    this.#expected?.skipped(length);
    this.#forgetChunk();
  }

  #forgetChunk(): void {
    this.#seen = 0;
    this.#isUnexpected = false;
    this.#identified = undefined;
  }

  #expectedCut(bytes: Buffer, start: number, until: number, isEnd: boolean): FoundCut | undefined {
    const length = this.#expected?.length;
    if (this.#expected === undefined || length === undefined || this.#isUnexpected) return undefined;
    const end = start + length;
    if (end > until) return undefined;
    const mayEnd = this.#chunker.endsAt(bytes, start, end);
    // It may be the last one, which ends where the run of bytes does.
    if (!mayEnd && end === until && !isEnd) return undefined;
    this.#isUnexpected = true;
    if (!mayEnd && end < until) return undefined;
    const id = this.#identify(bytes.subarray(start, end));
    if (this.#expected.matches(id)) return { end, id };
    this.#identified = { length, id };
    return undefined;
  }

  /** Cuts are not looked for while the expected one may come. */
  #isAwaiting(): boolean {
    const length = this.#expected?.length;
    return length !== undefined && !this.#isUnexpected && length <= this.#chunker.sizes.maximum;
  }
}

const NOTHING_SEEN: SearchState = { seen: 0, isUnexpected: false };
