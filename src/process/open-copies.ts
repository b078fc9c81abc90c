import { existsSync } from 'node:fs';
import type { CopyConfiguration } from '../core/configuration.ts';
import { HoldfastError } from '../core/errors.ts';
import type { CopyOpener } from '../core/ports/copy-opener.ts';
import { repositoryExists } from '../repository/initialise-repository.ts';
import { codecOf, openRepositories, type RepositoryAdapters } from './open-repositories.ts';

/** Opens copies with the adapters that repositories are opened with. */
export function createCopyOpener(adapters: RepositoryAdapters): CopyOpener {
  return {
    open: async (copy) => {
      const storage = await adapters.openStorage(copy);
      try {
        if (!(await repositoryExists(storage))) return undefined;
      } finally {
        await storage.close();
      }
      const [open] = await openRepositories([copy], adapters, {
        initialise: async () => false,
        onKeyFileMade: () => undefined,
      });
      return open;
    },
    make: async (copy, source) => {
      const storage = await adapters.openStorage(copy);
      try {
        const { cipher } = copy.settings;
        const key = keyOf(copy);
        await source.initialiseCopy({
          storage,
          provider: adapters.keyProvider(key),
          label: key.kind === 'keyfile' ? 'first key file' : `first ${key.kind}`,
          settings: { cipher, codec: codecOf(copy.settings) },
        });
      } finally {
        await storage.close();
      }
    },
  };
}

function keyOf(copy: CopyConfiguration): CopyConfiguration['keys'][number] {
  const [key] = copy.keys;
  if (key === undefined) {
    const message = `No key is configured for the copy "${copy.id}". Set one under copies.keys in holdfast.yaml.`;
    throw new HoldfastError('invalid', 'key-not-configured', message);
  }
  if (key.kind !== 'keyfile' || existsSync(key.path)) return key;
  const message = `There is no key file ${key.path} for the copy "${copy.id}". Copy yours there, or make one with \`holdfast key add --new-key-file\`.`;
  throw new HoldfastError('wrong-key', 'key-file-missing', message, { details: { path: key.path } });
}
