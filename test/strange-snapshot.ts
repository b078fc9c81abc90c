import type { Storage } from '../src/core/ports/storage.ts';

/** Places in the head of a sealed object of which one wrong byte makes it another version's, or another key's: version, cipher, epoch of the key, codec. */
export const STRANGE_PLACES = [4, 6, 7, 56];

/** Spoils one byte of a backup's snapshot. */
export async function makeStrange(storage: Storage, backupId: string, place: number): Promise<void> {
  for (const { key } of await storage.list('snapshots/')) {
    if (!key.includes(backupId)) continue;
    const sealed = await storage.get(key);
    await storage.delete(key);
    sealed[place] = 200;
    await storage.putNew(key, sealed);
  }
}
