import { statfs } from 'node:fs/promises';
import { KeyedLock } from '../core/keyed-lock.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { OpenRepository } from '../core/repository-registry.ts';
import { openKeys } from '../repository/open-repository.ts';
import { decodeSettings } from '../repository/settings.ts';

/** A passphrase costs a quarter of a gigabyte of memory each time that it is tried. */
const oneAtATime = new KeyedLock();

/** Ways to find out whether a repository would take the next backup, and whether it would open again after a restart. */
export function trialsOf(
  storage: Storage,
  providers: () => readonly KeyProvider[],
): Required<Pick<OpenRepository, 'tryWriting' | 'tryKeys' | 'freeBytes'>> {
  return {
    tryWriting: async () => {
      if (storage.tryWriting !== undefined) return storage.tryWriting();
      const pending = storage.beginNew();
      try {
        pending.write(Buffer.alloc(4096));
      } finally {
        await pending.abort();
      }
    },
    tryKeys: () =>
      oneAtATime.run('keys', async () => {
        const config = await storage.get('config');
        await openKeys(storage, decodeSettings(config), config, providers());
      }),
    freeBytes: async () => {
      if (storage.kind !== 'local') return undefined;
      const { bavail, bsize } = await statfs(storage.location);
      return bavail * bsize;
    },
  };
}
