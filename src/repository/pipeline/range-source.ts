import { HoldfastError } from '../../core/errors.ts';
import type { ChunkSource, PlannedRange } from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { planRanges } from '../chunk-planner.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { Keyring } from '../keyring.ts';
import { chunkMissing } from '../missing-chunk.ts';
import { packKey } from '../pack-format.ts';
import { type OpenedFrame, PackOpener } from '../pack-reader.ts';
import { ZstdContexts } from '../zstd-contexts.ts';
import type { EngineRange, WantedChunk } from './engine-range.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { PlacesOf } from './session-callbacks.ts';
import { ShortLivedMemory } from './short-lived-memory.ts';

/** What all sessions of a thread share. */
export interface ThreadMemory {
  buffers: ReadBuffers;
  shortLived: ShortLivedMemory;
  /** For what is read. */
  reading: ZstdContexts;
  /** For what is written and verified: that may come from the memory of what is read. */
  writing: ZstdContexts;
}

export function newThreadMemory(storage: Storage): ThreadMemory {
  return {
    buffers: new ReadBuffers(storage),
    shortLived: new ShortLivedMemory(),
    reading: new ZstdContexts(),
    writing: new ZstdContexts(),
  };
}

/** Reads ranges of packs and opens, decodes and verifies what is wanted from them. */
export class RangeSource implements ChunkSource {
  readonly #storage: Storage;
  readonly #keyring: Keyring;
  readonly #placesOf: PlacesOf | undefined;
  readonly buffers: ReadBuffers;
  readonly memory: ShortLivedMemory;
  readonly contexts: ZstdContexts;
  readonly #openers = new Map<string, PackOpener>();

  /**
   * @param placesOf asks where chunks are now, should a pack be gone
   * @param memory of all that work in this thread: sessions of fifty readers would each keep some of their own
   */
  constructor(storage: Storage, keyring: Keyring, placesOf?: PlacesOf, memory = newThreadMemory(storage)) {
    this.#storage = storage;
    this.buffers = memory.buffers;
    this.memory = memory.shortLived;
    this.contexts = memory.reading;
    this.#keyring = keyring;
    this.#placesOf = placesOf;
  }

  async read(range: PlannedRange, take: (tag: number, bytes: Uint8Array) => void): Promise<void> {
    const visit: VisitFrame = (_frame, chunks) => {
      for (const { chunk, plain } of chunks) for (const tag of chunk.tags) take(tag, plain);
    };
    await this.#frames(range as EngineRange, visit, false);
  }

  /**
   * The wanted chunks in memory that is the caller's: what was opened, uncopied, wherever it is worth keeping. What a decoder gave is
   * copied: decoding to memory that is warm, and copying, takes two thirds of the time that decoding to fresh memory does.
   */
  async readOwned(range: PlannedRange): Promise<{ tag: number; bytes: Uint8Array<ArrayBuffer> }[]> {
    const owned: { tag: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
    await this.#frames(
      range as EngineRange,
      (frame, chunks, buffer) => {
        const wanted = chunks.reduce((sum, { plain }) => sum + plain.length, 0);
        const { buffer: memory } = frame.body;
        // A frame that was not encrypted or compressed still lies in the buffer that it was read into; small ones lie in a pool.
        const isOwn =
          !frame.isShared &&
          memory !== buffer.buffer &&
          memory.byteLength > Buffer.poolSize &&
          memory.byteLength <= wanted * LARGEST_WASTE;
        for (const { chunk, plain } of chunks) {
          const bytes = (isOwn ? plain : Uint8Array.from(plain)) as Uint8Array<ArrayBuffer>;
          for (const tag of chunk.tags) owned.push({ tag, bytes });
        }
      },
      true,
    );
    return owned;
  }

  /** @param keep whether bodies may be of use after the visit; those that are shared are not */
  async #frames(range: EngineRange, visit: VisitFrame, keep: boolean): Promise<void> {
    try {
      await this.#read(range, visit, keep);
    } catch (error) {
      // A collector rewrote the pack since the range was planned. Nothing was given yet: the pack was gone as a whole.
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || this.#placesOf === undefined)
        throw error;
      for (const moved of await this.#planAgain(range, this.#placesOf)) await this.#read(moved, visit, keep);
    }
  }

  async #planAgain({ wanted }: EngineRange, placesOf: PlacesOf): Promise<EngineRange[]> {
    const places = await placesOf(wanted.map(({ id }) => id));
    const packs = new Map<number, IndexedPack>();
    const located = wanted.map(({ id, tags }, index) => {
      const { location, pack } = places[index] ?? {};
      if (location === undefined || pack === undefined) throw chunkMissing(id);
      packs.set(location.pack, pack);
      return { id, location, tags: [...tags] };
    });
    return planRanges(located, (number) => packs.get(number) as IndexedPack);
  }

  async #read(range: EngineRange, visit: VisitFrame, keep: boolean): Promise<void> {
    const { pack, offset, length } = range;
    return this.buffers.use(length, async (buffer) => {
      const bytes = await this.#storage.getRange(range.packKey, offset, length, buffer);
      const opener = this.opener(pack);
      for (const wanted of byFrame(range.wanted)) {
        const [{ frameOffset, frameLength }] = wanted;
        const at = frameOffset - offset;
        const frame = opener.openFrame(bytes.subarray(at, at + frameLength), this.contexts, keep);
        const chunks = wanted.map((chunk) => {
          const plain = frame.body.subarray(chunk.bodyOffset, chunk.bodyOffset + chunk.length);
          opener.verifyChunk(chunk.id, plain);
          return { chunk, plain };
        });
        visit(frame, chunks, buffer);
        // What is kept was made besides what was opened.
        this.memory.passed(frame.body.length * (keep ? 2 : 1));
      }
    });
  }

  opener(pack: { idHex: string; header: Uint8Array }): PackOpener {
    let opener = this.#openers.get(pack.idHex);
    if (opener === undefined) {
      opener = new PackOpener(packKey(pack.idHex), pack.header, this.#keyring);
      if (this.#openers.size >= MOST_OPENERS) this.#openers.clear();
      this.#openers.set(pack.idHex, opener);
    }
    return opener;
  }
}

type VisitFrame = (
  frame: OpenedFrame,
  chunks: readonly { chunk: WantedChunk; plain: Uint8Array }[],
  buffer: Buffer,
) => void;

/** Runs of chunks that lie in one frame. */
function* byFrame(wanted: readonly WantedChunk[]): Generator<[WantedChunk, ...WantedChunk[]]> {
  let run: [WantedChunk, ...WantedChunk[]] | undefined;
  for (const chunk of wanted) {
    if (run?.[0].frameOffset === chunk.frameOffset) run.push(chunk);
    else {
      if (run !== undefined) yield run;
      run = [chunk];
    }
  }
  if (run !== undefined) yield run;
}

const MOST_OPENERS = 1024;
/** Memory may be handed on of which this part, one in so many bytes, is wanted. */
const LARGEST_WASTE = 1.5;
