import { EarlierChunks } from '../earlier-chunks.ts';
import { ExpectedCuts, type ExpectedPlace } from '../expected-cuts.ts';
import type { ChunkStore } from './chunk-store.ts';
import { CutSearch, type SearchState } from './cut-search.ts';

/** Bytes of a stream from the start of a chunk on, to be cut in whichever thread has time. */
export interface Batch {
  /** In memory that threads share. */
  bytes: Uint8Array;
  /** Whether the stream ends with them. */
  isEnd: boolean;
  /** What the batch before left unfinished. */
  state: BatchState;
  /** `EarlierChunks.memory`, where something is expected. */
  earlier: SharedArrayBuffer | undefined;
}

export interface BatchState {
  search: SearchState;
  expected: ExpectedPlace;
}

export const FIRST_BATCH: BatchState = {
  search: { seen: 0, isUnexpected: false },
  expected: { position: 0, shift: 0 },
};

export interface CutBatch {
  /** What was cut, in order. The bytes behind the last one begin the next batch. */
  chunks: BatchChunk[];
  state: BatchState;
}

export interface BatchChunk {
  end: number;
  /** Where it had to be computed. */
  id?: Uint8Array;
  /** Whether a pack has it that this backup may rely on; it is counted then. */
  isStored: boolean;
}

/** Finds the chunks of a batch. Where something is expected, it says which of them are stored already, and most are then. */
export function cutBatch(
  sink: Pick<ChunkStore, 'chunker' | 'identify' | 'has'>,
  { bytes, isEnd, state, earlier }: Batch,
): CutBatch {
  const expected = earlier === undefined ? undefined : new ExpectedCuts(new EarlierChunks(earlier), state.expected);
  const search = new CutSearch(sink.chunker, (plain) => sink.identify(plain), expected, state.search);
  const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks: BatchChunk[] = [];
  for (let start = 0; ; ) {
    const cut = search.next(memory, start, memory.length, isEnd);
    if (cut === undefined) break;
    const length = cut.end - start;
    const id = cut.id ?? (expected === undefined ? undefined : sink.identify(memory.subarray(start, cut.end)));
    chunks.push(
      id === undefined ? { end: cut.end, isStored: false } : { end: cut.end, id, isStored: sink.has(id, length) },
    );
    search.passed(id, length);
    start = cut.end;
  }
  return { chunks, state: { search: search.state, expected: expected?.place ?? state.expected } };
}
