import type { ChunkSource, PlannedRange } from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { Keyring } from '../keyring.ts';
import { packKey } from '../pack-format.ts';
import { type OpenedFrame, PackOpener } from '../pack-reader.ts';
import { ReadBuffers } from './read-buffers.ts';
import { ShortLivedMemory } from './short-lived-memory.ts';

/** One chunk wanted from a range; frames are named by their place in the pack. */
export interface WantedChunk {
  id: Uint8Array;
  frameOffset: number;
  frameLength: number;
  bodyOffset: number;
  length: number;
  tags: readonly number[];
}

/** A `PlannedRange` as the engine knows it: what is wanted, in order of offset. */
export interface EngineRange extends PlannedRange {
  readonly pack: { idHex: string; header: Uint8Array };
  readonly wanted: readonly WantedChunk[];
}

/** Reads ranges of packs and opens, decodes and verifies what is wanted from them. */
export class RangeSource implements ChunkSource {
  readonly #storage: Storage;
  readonly #keyring: Keyring;
  readonly buffers: ReadBuffers;
  readonly memory = new ShortLivedMemory();
  readonly #openers = new Map<string, PackOpener>();

  constructor(storage: Storage, keyring: Keyring) {
    this.#storage = storage;
    this.buffers = new ReadBuffers(storage);
    this.#keyring = keyring;
  }

  async read(range: PlannedRange, take: (tag: number, bytes: Uint8Array) => void): Promise<void> {
    const { pack, wanted, offset, length } = range as EngineRange;
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
