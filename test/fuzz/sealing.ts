import { createSecretKey } from 'node:crypto';
import { HoldfastError } from '../../src/core/errors.ts';
import type { Storage } from '../../src/core/ports/storage.ts';
import { Keyring } from '../../src/repository/keyring.ts';
import type { RepositoryParts } from '../../src/repository/repository-parts.ts';
import { type SealedKind, sealObject } from '../../src/repository/sealed-object.ts';
import { newSettings } from '../../src/repository/settings.ts';
import { SnapshotStore } from '../../src/repository/snapshot-store.ts';

export const REPOSITORY_ID = '00112233445566778899aabbccddeeff';
export const MASTER_KEY = createSecretKey(Buffer.alloc(32, 5));
export const KEYRING = Keyring.fromSecrets({
  repositoryId: REPOSITORY_ID,
  idKey: Buffer.alloc(32, 1),
  chunkerKey: Buffer.alloc(32, 2),
  epochs: [{ epoch: 0, dataKey: Buffer.alloc(32, 3) }],
});

/** Seals what a holder of the key could seal. */
export function sealed(kind: SealedKind, name: string, plain: Uint8Array): Buffer {
  return sealObject(KEYRING, plain, { kind, name, cipher: 1, codec: { name: 'raw', level: 0 } });
}

/** A storage that holds these objects; it can be read and that is all. */
export function storageOf(objects: Readonly<Record<string, Uint8Array>>): Storage {
  const get = async (key: string): Promise<Buffer> => {
    const bytes = objects[key];
    if (bytes === undefined) throw new HoldfastError('not-found', 'object-missing', `There is no ${key}.`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  const storage: Partial<Storage> = {
    get,
    getRange: async (key, offset, length) => (await get(key)).subarray(offset, offset + length),
    list: async (prefix) =>
      Object.keys(objects)
        .filter((key) => key.startsWith(prefix))
        .map((key) => ({ key, size: 0 })),
    putNew: async () => 'created',
    serverTime: async () => new Date('2026-11-21T02:30:00.000Z'),
  };
  return storage as Storage;
}

export function partsOf(objects: Readonly<Record<string, Uint8Array>>): RepositoryParts {
  const storage = storageOf(objects);
  const snapshots = new SnapshotStore(storage, () => KEYRING, newSettings({}, new Date(0)));
  return { storage, snapshots, keyring: () => KEYRING } as unknown as RepositoryParts;
}
