import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Repository } from '../core/ports/repository.ts';
import type { Storage } from '../core/ports/storage.ts';
import { ChunkReader } from './chunk-reader.ts';
import { readCollectionState } from './collection/collection-state.ts';
import { EngineRepository } from './engine-repository.ts';
import { type FollowingRotation, IndexStore } from './index-store.ts';
import { listSlots, openWithAny } from './key-slots.ts';
import { type Keyring, keyringName } from './keyring.ts';
import { InlinePool } from './pipeline/inline-pool.ts';
import { WorkerPool } from './pipeline/worker-pool.ts';
import type { OpenKeys, RepositoryParts } from './repository-parts.ts';
import { decodeSettings, type RepositorySettings } from './settings.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { keyringGenerations, readKeyring } from './stored-keyring.ts';

/**
 * @param providers tried in order on every key slot
 * @throws HoldfastError `repository-missing` (no-repository), `key-does-not-open` (wrong-key), `format-newer`, `config-damaged`
 */
export async function openRepository(options: {
  storage: Storage;
  providers: readonly KeyProvider[];
  /** Worker threads; 0 for none: all work is done in this thread. Default 2. */
  workers?: number;
  clock?: Clock;
  /** What the repository is called outside of the engine; default: the id that it was made with. */
  id?: string;
}): Promise<Repository> {
  const { storage, providers } = options;
  const config = await readConfig(storage);
  const settings = decodeSettings(config);
  const opened = await openKeys(storage, settings, config, providers);
  const keys: { current: OpenKeys } = { current: opened };
  const keyring = (): Keyring => keys.current.keyring;
  const following: FollowingRotation = async (work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const unknown = error instanceof HoldfastError && error.code === 'key-epoch-unknown';
        if (!unknown || attempt === MOST_ATTEMPTS) throw error;
        await parts.followRotation({ now: true });
      }
    }
  };
  const index = new IndexStore(storage, keyring, following);
  const newChunkReader = (): ChunkReader => new ChunkReader(storage, keyring, index, following);
  const chunkReader = newChunkReader();
  let followedAt = performance.now();
  const parts: RepositoryParts = {
    storage,
    settings,
    index,
    snapshots: new SnapshotStore(storage, keyring, settings),
    pool:
      options.workers === 0
        ? new InlinePool(storage, settings)
        : new WorkerPool({ storage: storage.reopen, settings }, options.workers ?? 2),
    clock: options.clock ?? { now: () => new Date() },
    keyring,
    openKeys: () => keys.current,
    followRotation: async (options) => {
      // A rotation followed a moment late costs nothing: what the old key seals stays readable.
      if (options?.now !== true && performance.now() - followedAt < FOLLOW_ROTATION_EVERY) return;
      followedAt = performance.now();
      const newest = (await keyringGenerations(storage)).at(-1);
      if (newest === undefined || newest <= keys.current.generation) return;
      keys.current = await openKeys(storage, settings, config, providers);
    },
    readChunk: (id) => chunkReader.read(id),
    newChunkReader,
    following,
    followCollection: async () => {
      const state = await following(() => readCollectionState(storage, keyring()));
      await index.refresh();
      const bad = (await storage.list('bad/', { sizes: false })).map((object) => object.key.slice('bad/'.length));
      index.setUnusable(new Set([...state.condemned, ...bad]));
      return state;
    },
  };
  return new EngineRepository(parts, keys, options.id ?? settings.repositoryId);
}

export async function openKeys(
  storage: Storage,
  settings: RepositorySettings,
  config: Buffer,
  providers: readonly KeyProvider[],
): Promise<OpenKeys> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openKeysOnce(storage, settings, config, providers);
    } catch (error) {
      // A rotation took the slot or the keyring away between the listing and the reading; the new ones were there before.
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || attempt >= MOST_ATTEMPTS) throw error;
    }
  }
}

async function openKeysOnce(
  storage: Storage,
  settings: RepositorySettings,
  config: Buffer,
  providers: readonly KeyProvider[],
): Promise<OpenKeys> {
  const { slots, damaged, generations } = await listKeys(storage);
  const newest = generations.at(-1);
  let failure: unknown;
  for (const slot of slots.filter(({ generation }) => generation === newest)) {
    try {
      const opened = await openWithAny([slot], settings.repositoryId, providers);
      if (opened === undefined) continue;
      const keyring = await readKeyring(storage, settings.repositoryId, opened.masterKey, slot.generation, config);
      return { keyring, masterKey: opened.masterKey, generation: slot.generation, slot, config };
    } catch (error) {
      // Two that rotated at once wrote slots of one generation; only the faster one's open its keyring.
      if (!(error instanceof HoldfastError) || error.code === 'object-missing') throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined || slots.length > 0) {
    const latest = (await keyringGenerations(storage)).at(-1);
    if (latest !== newest) throw goneMeanwhile(keyringName(newest ?? 0));
  }
  if (failure !== undefined) throw failure;
  if (slots.length === 0 && damaged[0] !== undefined) throw damaged[0].error;
  const kinds = slots.map((slot) => `${slot.label} (${slot.kind})`).join(', ');
  throw new HoldfastError(
    'wrong-key',
    'key-does-not-open',
    `None of the repository's ${slots.length} key slots opens with the key given: ${kinds || 'there are none'}. Give the passphrase or key file of one of them.`,
  );
}

/** Has the keys looked for once more. */
function goneMeanwhile(name: string): HoldfastError {
  return new HoldfastError('not-found', 'object-missing', `${name} was replaced at this moment. Try again.`, {
    details: { object: name },
  });
}

/**
 * Keyrings, and then slots, as a keyring comes after its slots; once more where a rotation came in between, so that the newest
 * keyring seems to have no slot.
 */
async function listKeys(
  storage: Storage,
): Promise<Awaited<ReturnType<typeof listSlots>> & { generations: readonly number[] }> {
  for (let attempt = 1; ; attempt++) {
    const generations = await keyringGenerations(storage);
    const { slots, damaged } = await listSlots(storage);
    const newest = generations.at(-1);
    if (attempt === FEW_ATTEMPTS || newest === undefined || slots.some(({ generation }) => generation === newest))
      return { slots, damaged, generations };
  }
}

async function readConfig(storage: Storage): Promise<Buffer> {
  try {
    return await storage.get('config');
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'object-missing') {
      throw new HoldfastError(
        'no-repository',
        'repository-missing',
        `There is no repository at ${storage.location}. Check the path, or make one with \`holdfast serve\`, or the first \`holdfast resource add\` or \`holdfast backup\`.`,
        { cause: error },
      );
    }
    throw error;
  }
}

const FOLLOW_ROTATION_EVERY = 1000;
const MOST_ATTEMPTS = 10;
const FEW_ATTEMPTS = 3;
