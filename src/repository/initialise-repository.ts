import { createSecretKey, randomBytes } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Storage } from '../core/ports/storage.ts';
import { addSlot } from './key-slots.ts';
import { Keyring, keyringName } from './keyring.ts';
import { encodeSettings, newSettings, type SettingsChoice } from './settings.ts';

export async function repositoryExists(storage: Storage): Promise<boolean> {
  try {
    await storage.get('config');
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'object-missing') return false;
    throw error;
  }
}

/**
 * Makes a repository: probes the storage, then writes keyring, first key slot and, last, `config`.
 * @throws HoldfastError `repository-exists` (conflict), `storage-not-exclusive` (unsupported)
 */
export async function initialiseRepository(options: {
  storage: Storage;
  provider: KeyProvider;
  label: string;
  settings?: SettingsChoice;
  clock?: Clock;
  /** Of the repository that snapshots will be copied from. */
  kin?: Keyring;
}): Promise<void> {
  const { storage, provider, label, kin } = options;
  if (await repositoryExists(storage))
    throw new HoldfastError('conflict', 'repository-exists', `There is a repository at ${storage.location} already.`);
  const now = options.clock?.now() ?? new Date();
  await probeStorage(storage);
  const settings = newSettings(options.settings ?? {}, now);
  settings.packs.data = Math.min(settings.packs.data, storage.largestPack ?? settings.packs.data);
  const config = encodeSettings(settings);
  const masterKey = createSecretKey(randomBytes(32));
  const { repositoryId } = settings;
  const keyring = kin === undefined ? Keyring.create(repositoryId, now) : kin.createKin(repositoryId, now);
  await storage.putNew(keyringName(0), keyring.seal(masterKey, 0, config));
  await addSlot(storage, settings.repositoryId, masterKey, 0, provider, label, now);
  if ((await storage.putNew('config', config)) === 'exists') {
    throw new HoldfastError(
      'conflict',
      'repository-exists',
      `Another process made a repository at ${storage.location} at this moment. Use that one.`,
    );
  }
}

/** Commits rest on create-only writes: better to learn at once that a storage does not keep that promise. */
async function probeStorage(storage: Storage): Promise<void> {
  const key = `probe/${randomBytes(8).toString('hex')}`;
  const outcomes = await Promise.all([storage.putNew(key, Buffer.from('a')), storage.putNew(key, Buffer.from('b'))]);
  const again = await storage.putNew(key, Buffer.from('c'));
  await storage.delete(key);
  if (outcomes.filter((outcome) => outcome === 'created').length !== 1 || again !== 'exists') {
    throw new HoldfastError(
      'unsupported',
      'storage-not-exclusive',
      `The storage at ${storage.location} lets one object be created twice, so that commits would not be safe on it. Use another one.`,
    );
  }
}
