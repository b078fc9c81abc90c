import { HoldfastError } from '../../core/errors.ts';
import type { ChunkSource, PlannedRange } from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { planRanges } from '../chunk-planner.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { Keyring } from '../keyring.ts';
import { chunkMissing } from '../missing-chunk.ts';
import { packKey } from '../pack-format.ts';
import { type OpenedFrame, PackOpener } from '../pack-reader.ts';
import type { EngineRange } from './engine-range.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { PlacesOf } from './session-callbacks.ts';
import { ShortLivedMemory } from './short-lived-memory.ts';

/** Of all sources of this thread. */
const MEMORY = new ShortLivedMemory();

/** Reads ranges of packs and opens, decodes and verifies what is wanted from them. */
export class RangeSource implements ChunkSource {
  readonly #storage: Storage;
  readonly #keyring: Keyring;
  readonly #placesOf: PlacesOf | undefined;
  readonly buffers: ReadBuffers;
  readonly memory = MEMORY;
  readonly #openers = new Map<string, PackOpener>();

  /** @param placesOf asks where chunks are now, should a pack be gone */
  constructor(storage: Storage, keyring: Keyring, placesOf?: PlacesOf) {
    this.#storage = storage;
    this.buffers = ReadBuffers.of(storage);
    this.#keyring = keyring;
    this.#placesOf = placesOf;
  }

  async read(range: PlannedRange, take: (tag: number, bytes: Uint8Array) => void): Promise<void> {
    try {
      await this.#read(range as EngineRange, take);
    } catch (error) {
      // A collector rewrote the pack since the range was planned. Nothing was given yet: the pack was gone as a whole.
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || this.#placesOf === undefined)
        throw error;
      for (const moved of await this.#planAgain(range as EngineRange, this.#placesOf)) await this.#read(moved, take);
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

  async #read(range: EngineRange, take: (tag: number, bytes: Uint8Array) => void): Promise<void> {
    const { pack, wanted, offset, length } = range;
    return this.buffers.use(length, async (buffer) => {
      const bytes = await this.#storage.getRange(range.packKey, offset, length, buffer);
      const opener = this.opener(pack);
      let frame: OpenedFrame | undefined;
      let frameOffset = -1;
      for (const chunk of wanted) {
        if (frame === undefined || chunk.frameOffset !== frameOffset) {
          const at = chunk.frameOffset - offset;
          frame = opener.openFrame(bytes.subarray(at, at + chunk.frameLength));
          frameOffset = chunk.frameOffset;
        }
        const plain = frame.body.subarray(chunk.bodyOffset, chunk.bodyOffset + chunk.length);
        opener.verifyChunk(chunk.id, plain);
        for (const tag of chunk.tags) take(tag, plain);
        this.memory.passed(chunk.length * 2);
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

const MOST_OPENERS = 1024;
