import { HoldfastError } from '../core/errors.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { FollowingRotation, IndexStore } from './index-store.ts';
import type { Keyring } from './keyring.ts';
import { chunkMissing } from './missing-chunk.ts';
import { packKey } from './pack-format.ts';
import type { OpenedFrame } from './pack-reader.ts';
import { RangeSource } from './pipeline/range-source.ts';

/** Reads single chunks (pages of trees and lists, small contents) in the main thread and keeps the last frames decoded. */
export class ChunkReader {
  readonly #storage: Storage;
  readonly #keyring: () => Keyring;
  readonly #index: IndexStore;
  readonly #following: FollowingRotation;
  readonly #frames = new Map<string, OpenedFrame>();
  #frameBytes = 0;
  #source: { keyring: Keyring; ranges: RangeSource } | undefined;

  constructor(
    storage: Storage,
    keyring: () => Keyring,
    index: IndexStore,
    following: FollowingRotation = (work) => work(),
  ) {
    this.#storage = storage;
    this.#keyring = keyring;
    this.#index = index;
    this.#following = following;
  }

  /** @throws HoldfastError `chunk-missing`, `pack-damaged`, `object-missing` */
  async read(id: Uint8Array): Promise<Uint8Array> {
    return this.#following(async () => {
      try {
        return await this.#read(id);
      } catch (error) {
        // A collector rewrote the pack since the index was read.
        if (!(error instanceof HoldfastError) || error.code !== 'object-missing') throw error;
        await this.#index.refresh();
        return this.#read(id);
      }
    });
  }

  async #read(id: Uint8Array): Promise<Uint8Array> {
    let location = this.#index.find(id);
    if (location === undefined) {
      await this.#index.refresh();
      location = this.#index.find(id);
    }
    if (location === undefined) throw chunkMissing(id);
    const pack = this.#index.pack(location.pack);
    const name = `${pack.idHex}:${location.frameOffset}`;
    const opener = this.#ranges().opener(pack);
    let frame = this.#frames.get(name);
    if (frame === undefined) {
      frame = opener.openFrame(
        await this.#storage.getRange(packKey(pack.idHex), location.frameOffset, location.frameLength),
      );
      this.#keep(name, frame);
    }
    const plain = frame.body.subarray(location.bodyOffset, location.bodyOffset + location.length);
    opener.verifyChunk(id, plain);
    return plain;
  }

  /** The last ones, however large the last one is. */
  #keep(name: string, frame: OpenedFrame): void {
    // Somebody else may have read it at the same time.
    if (this.#frames.has(name)) return;
    this.#frames.set(name, frame);
    this.#frameBytes += frame.body.length;
    for (const [oldest, { body }] of this.#frames) {
      if (oldest === name || (this.#frames.size <= FRAMES_KEPT && this.#frameBytes <= BYTES_KEPT)) return;
      this.#frames.delete(oldest);
      this.#frameBytes -= body.length;
    }
  }

  #ranges(): RangeSource {
    const keyring = this.#keyring();
    if (this.#source?.keyring !== keyring) this.#source = { keyring, ranges: new RangeSource(this.#storage, keyring) };
    return this.#source.ranges;
  }
}

const FRAMES_KEPT = 16;
const BYTES_KEPT = 1024 * 1024;
