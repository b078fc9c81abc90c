import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { serve } from '../src/adapters/http/serve.ts';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import type { Application } from '../src/core/application.ts';
import type { Configuration } from '../src/core/configuration.ts';
import { createApplication } from '../src/core/create-application.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { IdentityConfiguration } from '../src/core/identity-configuration.ts';
import type { Catalogue } from '../src/core/ports/catalogue.ts';
import type { IdentityProvider } from '../src/core/ports/identity-provider.ts';
import type { Service } from '../src/core/ports/service.ts';
import { createArgon2Passwords } from '../src/identity/local/argon2-passwords.ts';
import { createLocalUsers } from '../src/identity/local/local-users.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { createCopyOpener } from '../src/process/open-copies.ts';
import { createInProcessQueue } from '../src/queue/in-process/in-process-queue.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { TemporaryRepository } from './temporary-repository.ts';

/** The whole service on a temporary data folder and a free port. */
export interface RunningService {
  url: string;
  application: Application;
  /** The folder that the repository's objects lie in. */
  repositoryFolder: string;
  close(): Promise<void>;
}

/** Who vouches for callers besides local users, whose passwords cost little here. */
export interface ServiceIdentity {
  configuration?: IdentityConfiguration;
  providers?: readonly IdentityProvider[];
}

function identityOf({ users }: Catalogue, { providers = [] }: ServiceIdentity) {
  const passwords = createArgon2Passwords({ memoryKiB: 64, passes: 1, parallelism: 1 });
  const local = createLocalUsers({ users, passwords, clock: { now: () => new Date() } });
  return { passwords, providers: [local, ...providers], refusalMilliseconds: 20 };
}

/** Starts the service; it ends with the test. */
export async function startService(
  t: Pick<TestContext, 'after'>,
  server: Partial<Configuration['server']> = {},
  identity: ServiceIdentity = {},
): Promise<RunningService> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-api-'));
  const temporary = await TemporaryRepository.create({}, path.join(folder, 'repository'));
  const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
  const configuration = {
    ...serviceConfiguration(folder, server),
    ...(identity.configuration === undefined ? {} : { identity: identity.configuration }),
  };
  const logger = pino({ level: 'silent' });
  const { repository } = temporary;
  const { application } = createApplication({
    configuration,
    catalogue,
    logger,
    repositories: [{ id: 'default', repository, ping: async () => undefined, close: () => repository.close() }],
    copies: createCopyOpener({
      openStorage: ({ storage }) => openStorage(storage.options),
      keyProvider: () => temporary.provider,
      createKeyFile: async () => undefined,
      clock: { now: () => new Date() },
    }),
    services: [
      createDocumentService({ ...configuration.server, maxChainLength: configuration.maxChainLength }),
      createStreamService(),
      countingService(),
    ],
    queue: createInProcessQueue(catalogue.operations, 'test'),
    notifier: { notify: async () => undefined },
    clock: { now: () => new Date() },
    version: '1.2.3',
    owner: 'test',
    isAlive: () => true,
    drillFolders: createDrillFolders({ owner: 'test', isAlive: () => true, parent: folder }),
    environment: { host: 'test' },
    identity: identityOf(catalogue, identity),
  });
  await application.startBackground();
  const running = await serve(application, configuration, logger);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await running.close(0);
    await application.close(0);
    await rm(folder, { recursive: true, force: true });
  };
  t.after(() => {
    closing ??= close();
    return closing;
  });
  return {
    url: running.url,
    application,
    repositoryFolder: temporary.folder,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

const COUNTING = z.strictObject({ numbers: z.number().int().min(0), waits: z.boolean().default(false) });

/** A service that fetches by itself: it counts, and where it `waits`, it does so until somebody cancels it. */
function countingService(): Service {
  return {
    name: 'counting',
    description: 'Numbers, one a line.',
    contentKind: 'stream',
    backupTypes: ['full'],
    source: 'fetched',
    parseConfiguration: (configuration) => COUNTING.parse(configuration),
    async backup({ resource, writer, signal, report }) {
      const { numbers, waits } = COUNTING.parse(resource.configuration);
      if (numbers === 0) throw new HoldfastError('invalid', 'nothing-to-count', 'There is nothing to count.');
      report({ percent: 50, phase: 'counting' });
      if (waits && !signal.aborted) await once(signal, 'abort');
      signal.throwIfAborted();
      const lines = Buffer.from(Array.from({ length: numbers }, (_, at) => `${at}\n`).join(''));
      const stored = await writer.writeStream(
        (async function* () {
          yield lines;
        })(),
      );
      return {
        type: 'full',
        root: stored.root,
        size: stored.length,
        checksum: `sha256:${stored.sha256}`,
        isDelta: false,
        readBytes: stored.length,
        sourceBytes: stored.length,
        serviceData: {},
      };
    },
    restore: async ({ backup }) => ({ report: { numbers: backup.size } }),
    mediaType: 'text/plain',
    async *read(chain) {
      yield* chain.at(-1)!.reader.read();
    },
  };
}

function serviceConfiguration(dataFolder: string, server: Partial<Configuration['server']>): Configuration {
  return {
    dataFolder,
    server: {
      host: '127.0.0.1',
      port: 0,
      documentLimitBytes: 64 * 1024 * 1024,
      documentDepthLimit: 200,
      bodyLimitBytes: 1024 * 1024,
      requestsPerMinute: 0,
      maxConcurrentTransfers: 8,
      allowedHosts: [],
      ...server,
    },
    repositories: [],
    copies: [],
    copy: { cron: '@daily', timeZone: 'UTC', enabled: false },
    maxSnapshots: 100,
    maxChainLength: 50,
    trashDays: 7,
    operationDays: 90,
    cleanup: { cron: '@daily', timeZone: 'UTC', enabled: false },
    scrub: { cron: '@daily', timeZone: 'UTC', enabled: false, fraction: 1 },
    prune: { cron: '@daily', timeZone: 'UTC', enabled: false },
    concurrency: 2,
    logLevel: 'silent',
  };
}
