import type { ContentBuilder, ExpectedContent } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { Chunker } from '../chunker.ts';
import { EarlierChunks } from '../earlier-chunks.ts';
import { ExpectedCuts } from '../expected-cuts.ts';
import { PACK_KIND, type PackKind } from '../pack-format.ts';
import { CutSearch } from './cut-search.ts';

/** Names chunks and stores them. */
export interface ContentStore {
  identify(plain: Uint8Array): Buffer;
  put(kind: PackKind, plain: Uint8Array, id: Buffer): ContentSegment;
}

/** Cuts one content in a buffer that the source reads into directly. */
export class CutContent implements ContentBuilder {
  readonly #store: ContentStore;
  readonly #search: CutSearch;
  readonly #buffer: Buffer;
  #start = 0;
  #end = 0;
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
    this.#search = new CutSearch(chunker, (plain) => store.identify(plain), expected && expectedCuts(expected));
    this.#buffer = buffer;
    this.#release = release;
  }

  room(): Uint8Array {
    if (this.#buffer.length - this.#end < READ_BLOCK) this.#moveToFront();
    return this.#buffer.subarray(this.#end, this.#end + READ_BLOCK);
  }

  advance(bytes: number): void {
    this.#end += bytes;
    this.#takeFound(false);
  }

  hole(length: number): void {
    this.#takeRest();
    this.#search.skipped(length);
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
    this.#start = 0;
  }

  #takeFound(isEnd: boolean): void {
    for (;;) {
      const cut = this.#search.next(this.#buffer, this.#start, this.#end, isEnd);
      if (cut === undefined) return;
      const plain = this.#buffer.subarray(this.#start, cut.end);
      const id = cut.id ?? this.#store.identify(plain);
      this.#segments.push(this.#store.put(PACK_KIND.data, plain, id));
      this.#search.passed(id, plain.length);
      this.#start = cut.end;
    }
  }

  /** A run of bytes ends here. */
  #takeRest(): void {
    this.#takeFound(true);
    this.#start = 0;
    this.#end = 0;
  }
}

function expectedCuts({ segments, offset }: ExpectedContent): ExpectedCuts {
  return new ExpectedCuts(EarlierChunks.of(segments), { position: 0, shift: offset });
}

/** Few enough bytes that they are looked at while the processor still has them at hand. */
const READ_BLOCK = 256 * 1024;
/** Room beside the longest chunk; the more, the less often a chunk's begin is moved to the front. */
const SPARE = 2 * 1024 * 1024;
