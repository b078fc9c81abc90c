import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import type { Application } from '../src/core/application.ts';
import type { Configuration } from '../src/core/configuration.ts';
import { type ApplicationParts, createApplication } from '../src/core/create-application.ts';
import type { Catalogue } from '../src/core/ports/catalogue.ts';
import type { HookRunner } from '../src/core/ports/hook-runner.ts';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { Notification } from '../src/core/ports/notifier.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { createCopyOpener } from '../src/process/open-copies.ts';
import { createEmbeddedQueue } from '../src/queue/embedded/embedded-queue.ts';
import { createInProcessQueue } from '../src/queue/in-process/in-process-queue.ts';
import { initialiseRepository, repositoryExists } from '../src/repository/initialise-repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';

/** The real managers over the real engine, catalogue and storage in a folder, with a clock that tests can move. */
export interface ManagedApplication {
  application: Application;
  configuration: Configuration;
  catalogue: Catalogue;
  repository: Repository;
  storage: Storage;
  notifications: Notification[];
  /** Adds to the clock. */
  advance(milliseconds: number): void;
  now(): Date;
}

export const DAY = 86_400_000;

/** A folder for a test's data. */
export async function temporaryFolder(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-managers-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Opens what is in a folder, as a process would that starts there; makes a repository where there is none. */
export async function openManagedApplication(
  folder: string,
  options: {
    key?: Buffer;
    services?: readonly Service[];
    owner?: string;
    configuration?: Partial<Configuration>;
    hooks?: HookRunner;
    /** Runs what earlier processes queued as well, as the service does. */
    isService?: boolean;
    parts?: Partial<Pick<ApplicationParts, 'variantMaker' | 'variantVerifier' | 'turns' | 'sealer' | 'logger'>>;
    /** Made of this catalogue and clock. */
    identity?: (parts: { catalogue: Catalogue; clock: { now: () => Date } }) => Promise<ApplicationParts['identity']>;
  } = {},
): Promise<ManagedApplication> {
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  const provider = fixedKey(options.key ?? TEST_KEY);
  const storage = await openStorage({ folder: path.join(folder, 'repository') });
  if (!(await repositoryExists(storage))) await initialiseRepository({ storage, provider, label: 'test' });
  const repository = await openRepository({ storage, providers: [provider], workers: 1, clock: { now } });
  const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
  const owner = options.owner ?? `test-${randomBytes(4).toString('hex')}`;
  const logger = options.parts?.logger ?? SILENT;
  const queue =
    options.isService === true
      ? createEmbeddedQueue({ operations: catalogue.operations, owner, concurrency: 2, logger })
      : createInProcessQueue(catalogue.operations, owner);
  const notifications: Notification[] = [];
  const configuration = { ...configurationFor(folder), ...options.configuration };
  const identity = await options.identity?.({ catalogue, clock: { now } });
  const { application, run } = createApplication({
    configuration,
    repositories: [
      {
        id: 'default',
        repository,
        ping: async () => void (await storage.get('config')),
        close: () => repository.close(),
      },
    ],
    copies: createCopyOpener({
      openStorage: (configured) => openStorage(configured.storage.options),
      keyProvider: () => provider,
      createKeyFile: async () => undefined,
      clock: { now },
    }),
    services: options.services ?? [
      createDocumentService({ documentLimitBytes: 1 << 26, documentDepthLimit: 200, maxChainLength: 50 }),
      createStreamService(),
    ],
    catalogue,
    queue,
    ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
    notifier: { notify: async (event) => void notifications.push(event) },
    clock: { now },
    logger,
    version: '0.0.0-test',
    owner,
    isAlive: () => false,
    drillFolders: createDrillFolders({ owner, isAlive: () => false, parent: folder }),
    environment: { host: 'test' },
    ...options.parts,
    ...(identity === undefined ? {} : { identity }),
  });
  if (options.isService === true) await application.startBackground();
  else await queue.start(run);
  return {
    application,
    configuration,
    catalogue,
    repository,
    storage,
    notifications,
    advance: (milliseconds) => {
      ahead += milliseconds;
    },
    now,
  };
}

export async function* bytesOf(content: unknown): AsyncGenerator<Uint8Array> {
  yield typeof content === 'string' ? Buffer.from(content) : Buffer.from(JSON.stringify(content));
}

export async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const TEST_KEY = Buffer.alloc(32, 7);

/** A key that needs no derivation, so that tests are quick. */
function fixedKey(key: Buffer): KeyProvider {
  return {
    kind: 'keyfile',
    createWrappingKey: async () => ({ parameters: {}, wrappingKey: key }),
    wrappingKeyFor: async () => key,
  };
}

function configurationFor(dataFolder: string): Configuration {
  return {
    dataFolder,
    server: {
      host: '127.0.0.1',
      port: 0,
      documentLimitBytes: 1 << 26,
      documentDepthLimit: 200,
      bodyLimitBytes: 1 << 20,
      requestsPerMinute: 0,
      maxConcurrentTransfers: 8,
      allowedHosts: [],
    },
    repositories: [],
    copies: [],
    copy: { cron: '0 6 * * *', timeZone: 'UTC', enabled: false },
    maxSnapshots: 100,
    maxChainLength: 50,
    trashDays: 7,
    operationDays: 90,
    cleanup: { cron: '0 3 * * *', timeZone: 'UTC', enabled: false },
    scrub: { cron: '0 5 * * *', timeZone: 'UTC', enabled: false, fraction: 1 },
    prune: { cron: '0 4 * * *', timeZone: 'UTC', enabled: false },
    concurrency: 2,
    logLevel: 'silent',
  };
}

const nothing = () => {
  // Tests look at what happens, not at the log.
};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };
