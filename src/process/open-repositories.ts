import { existsSync } from 'node:fs';
import type { KeyConfiguration, RepositoryConfiguration } from '../core/configuration.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { OpenRepository } from '../core/repository-registry.ts';
import { initialiseRepository, repositoryExists } from '../repository/initialise-repository.ts';
import { openRepository } from '../repository/open-repository.ts';
import { trialsOf } from './repository-trial.ts';

/** What opening repositories needs of the adapters. */
export interface RepositoryAdapters {
  openStorage(configuration: RepositoryConfiguration): Promise<Storage>;
  keyProvider(configuration: KeyConfiguration): KeyProvider;
  createKeyFile(path: string): Promise<void>;
  clock: Clock;
}

export interface OpeningOptions {
  /** Whether a repository that is missing is made. @throws HoldfastError where it should be there */
  initialise(configuration: RepositoryConfiguration, location: string): Promise<boolean>;
  onKeyFileMade(path: string): void;
}

/**
 * Opens the configured repositories, all or none.
 * @throws HoldfastError `repository-missing` (no-repository), `key-file-missing`, `key-does-not-open` (wrong-key)
 */
export async function openRepositories(
  configurations: readonly RepositoryConfiguration[],
  adapters: RepositoryAdapters,
  options: OpeningOptions,
): Promise<OpenRepository[]> {
  const opened: OpenRepository[] = [];
  try {
    for (const configuration of configurations) opened.push(await openOne(configuration, adapters, options));
    return opened;
  } catch (error) {
    await Promise.allSettled(opened.map((repository) => repository.close()));
    throw error;
  }
}

async function openOne(
  configuration: RepositoryConfiguration,
  adapters: RepositoryAdapters,
  options: OpeningOptions,
): Promise<OpenRepository> {
  const storage = await adapters.openStorage(configuration);
  try {
    if (!(await repositoryExists(storage)) && (await options.initialise(configuration, storage.location))) {
      await initialise(configuration, storage, adapters, options);
    }
    const repository = await openRepository({
      storage,
      providers: (await repositoryExists(storage)) ? usableKeys(configuration, storage).map(adapters.keyProvider) : [],
      workers: configuration.workers,
      clock: adapters.clock,
      id: configuration.id,
    });
    return {
      id: configuration.id,
      repository,
      ping: async () => {
        await storage.get('config');
      },
      ...trialsOf(storage, () => usableKeys(configuration, storage).map(adapters.keyProvider)),
      close: () => repository.close(),
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** A key file is made only with the repository that it is for: one that is gone later cannot be replaced by a new one. */
async function initialise(
  configuration: RepositoryConfiguration,
  storage: Storage,
  adapters: RepositoryAdapters,
  options: OpeningOptions,
): Promise<void> {
  const [key] = configuration.keys;
  if (key === undefined) {
    const message = `No key is configured for the repository "${configuration.id}". Set one under repositories.keys in holdfast.yaml.`;
    throw new HoldfastError('invalid', 'key-not-configured', message);
  }
  const makesKeyFile = key.kind === 'keyfile' && !existsSync(key.path);
  if (makesKeyFile && !configuration.keyIsDefault) {
    const message = `There is no key file ${key.path}. Copy yours there. For a new repository without one, leave its keys out of the configuration: Holdfast makes a key file then and says where.`;
    throw new HoldfastError('wrong-key', 'key-file-missing', message, { details: { path: key.path } });
  }
  if (makesKeyFile) await adapters.createKeyFile(key.path);
  const { cipher } = configuration.settings;
  await initialiseRepository({
    storage,
    provider: adapters.keyProvider(key),
    label: key.kind === 'keyfile' ? 'first key file' : `first ${key.kind}`,
    settings: { cipher, codec: codecOf(configuration.settings) },
    clock: adapters.clock,
  });
  if (makesKeyFile) options.onKeyFileMade(key.path);
}

/** The keys whose files are there. A repository whose only key file is gone must be told apart from a wrong key. */
function usableKeys(configuration: RepositoryConfiguration, storage: Storage): readonly KeyConfiguration[] {
  const usable = configuration.keys.filter((key) => key.kind !== 'keyfile' || existsSync(key.path));
  if (usable.length > 0) return usable;
  const paths = configuration.keys.flatMap((key) => (key.kind === 'keyfile' ? key.path : []));
  throw new HoldfastError(
    'wrong-key',
    'key-file-missing',
    `The repository at ${storage.location} is there, but its key file ${paths.join(', ')} is gone. Copy your spare of it back to that place, or configure another key of the repository. Without a key nothing restores.`,
    { details: { paths, location: storage.location } },
  );
}

/** The codec as a new repository's settings take it. */
export function codecOf({ codec, zstdLevel }: RepositoryConfiguration['settings']): {
  name: 'zstd' | 'gzip' | 'raw';
  level: number;
} {
  return { name: codec, level: { zstd: zstdLevel, gzip: GZIP_LEVEL, raw: 0 }[codec] };
}

const GZIP_LEVEL = 6;
