import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { isLoss } from '../content-list.ts';
import { packKey } from '../pack-format.ts';
import { decodeSettings } from '../settings.ts';

export interface Fetched {
  bytes: Buffer;
  /** Where from, for a person to read. */
  location: string;
}

/** Copies of the repository that damaged objects are fetched from, by name. What they give is believed only when it proves itself. */
export class Replicas {
  readonly #storages: readonly Storage[];

  private constructor(storages: readonly Storage[]) {
    this.#storages = storages;
  }

  /** @throws HoldfastError `replica-of-another-repository` (invalid), what opening `config` throws */
  static async open(storages: readonly Storage[], repositoryId: string): Promise<Replicas> {
    for (const storage of storages) {
      if (decodeSettings(await storage.get('config')).repositoryId === repositoryId) continue;
      throw new HoldfastError(
        'invalid',
        'replica-of-another-repository',
        `${storage.location} holds another repository, not a copy of this one. Name a storage that this repository was copied to.`,
        { details: { location: storage.location } },
      );
    }
    return new Replicas(storages);
  }

  /** A pack's name is its SHA-256. */
  fetchPack(packId: string): Promise<Fetched | undefined> {
    return this.fetch(packKey(packId), (bytes) => createHash('sha256').update(bytes).digest('hex') === packId);
  }

  /** The first copy of an object that proves itself. Copies that have none, or a damaged one, are passed over. */
  async fetch(
    key: string,
    isAuthentic: (bytes: Buffer, copy: Storage) => boolean | Promise<boolean>,
  ): Promise<Fetched | undefined> {
    for (const storage of this.#storages) {
      try {
        const bytes = await storage.get(key);
        if (await isAuthentic(bytes, storage)) return { bytes, location: storage.location };
      } catch (error) {
        if (!isLoss(error)) throw error;
      }
    }
    return undefined;
  }
}
