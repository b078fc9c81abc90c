import type { KeyObject } from 'node:crypto';
import type { Clock } from '../core/ports/clock.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { ChunkReader } from './chunk-reader.ts';
import type { CollectionState } from './collection/collection-state.ts';
import type { FollowingRotation, IndexStore } from './index-store.ts';
import type { KeySlotObject } from './key-slots.ts';
import type { Keyring } from './keyring.ts';
import type { TaskPool } from './pipeline/task-pool.ts';
import type { RepositorySettings } from './settings.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** What the parts of an open repository share. */
export interface RepositoryParts {
  readonly storage: Storage;
  readonly settings: RepositorySettings;
  readonly index: IndexStore;
  readonly snapshots: SnapshotStore;
  readonly pool: TaskPool;
  readonly clock: Clock;
  /** The keyring as it is now; rotation replaces it. */
  keyring(): Keyring;
  /** What opened that keyring. */
  openKeys(): OpenKeys;
  /** Opens the newest keyring if another process has rotated the key. */
  followRotation(options?: { now: boolean }): Promise<void>;
  /** Does something again with the newest keyring where it met an epoch that this process does not know yet. */
  following: FollowingRotation;
  /** One chunk's verified bytes, valid until the next call; finds it anew if the index has moved on. */
  readChunk(id: Uint8Array): Promise<Uint8Array>;
  /** A reader with a memory of its own, so that what one snapshot's reader read is not taken for what the storage holds. */
  newChunkReader(): ChunkReader;
  /**
   * Reads what collectors decided, then the index, and marks packs that must not be relied on: condemned ones, and those
   * known to be bad. In this order, or the index could name packs that a collector removed in between.
   */
  followCollection(): Promise<CollectionState>;
}

/** The master key in use and the slot that opened it. */
export interface OpenKeys {
  keyring: Keyring;
  masterKey: KeyObject;
  generation: number;
  /** As it was when it opened the keyring. */
  slot: KeySlotObject;
  config: Buffer;
}
