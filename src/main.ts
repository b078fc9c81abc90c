import { existsSync, readFileSync } from 'node:fs';
import { arch, hostname, release, type } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from './adapters/cli/run-command-line.ts';
import { repositoryFolders } from './config/repository-folders.ts';
import { resolveSecret } from './config/resolve-secret.ts';
import { createServiceSecretResolver } from './config/service-secret.ts';
import type { Application } from './core/application.ts';
import type {
  ApplicationMode,
  Composition,
  OpenApplicationOptions,
  RepositoryInspection,
  RunningServer,
} from './core/composition.ts';
import type { Configuration, KeyConfiguration, RepositoryConfiguration } from './core/configuration.ts';
import { HoldfastError } from './core/errors.ts';
import type { GrantRule, IdentityConfiguration } from './core/identity-configuration.ts';
import type { Catalogue } from './core/ports/catalogue.ts';
import type { Clock } from './core/ports/clock.ts';
import type { DrillFolders } from './core/ports/drill-folders.ts';
import type { HookRunner } from './core/ports/hook-runner.ts';
import type { IdentityProvider } from './core/ports/identity-provider.ts';
import type { KeyProvider } from './core/ports/key-provider.ts';
import type { Logger } from './core/ports/logger.ts';
import type { PasswordHasher } from './core/ports/password-hasher.ts';
import type { ResourceTurns } from './core/ports/resource-turns.ts';
import type { Service } from './core/ports/service.ts';
import type { SqlSealer } from './core/ports/sql-sealer.ts';
import type { Storage } from './core/ports/storage.ts';
import type { VariantMaker } from './core/ports/variant-maker.ts';
import type { VariantVerifier } from './core/ports/variant-verifier.ts';
import type { WorkQueue } from './core/ports/work-queue.ts';
import { createVariantVerification } from './core/variant-verification.ts';
import { createKeyFile, keyFileNotice } from './keys/keyfile/key-file.ts';
import { createKeyFileProvider } from './keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from './keys/passphrase/passphrase-provider.ts';
import { setAside } from './process/catalogue-aside.ts';
import { processLog } from './process/process-log.ts';
import { isProcessAlive, ownProcess } from './process/process-owner.ts';
import { acquireServiceLock, runningService } from './process/running-service.ts';
import { SILENT_LOG } from './process/silent-log.ts';

/**
 * The composition root: the only place that knows every adapter. What only some commands need is imported when it is asked
 * for, so that small commands start at once.
 */

/** One line for each kind of storage. */
const STORAGES: Record<string, (options: Readonly<Record<string, unknown>>) => Promise<Storage>> = {
  local: async (options) => (await import('./storage/local/local-storage.ts')).openStorage(options),
  s3: async (options) => (await import('./storage/s3/s3-storage.ts')).openStorage(options),
};

/** One line for each kind of key. */
const KEYS: { [Kind in KeyConfiguration['kind']]: (key: KeyConfiguration & { kind: Kind }) => KeyProvider } = {
  keyfile: ({ path }) => createKeyFileProvider(path),
  passphrase: ({ passphrase }) => createPassphraseProvider(() => resolveSecret(passphrase, process.env)),
};

/** One line for each service. */
const SERVICES: readonly ((configuration: Configuration) => Promise<Service>)[] = [
  async ({ server, maxChainLength }) =>
    (await import('./services/document/document-service.ts')).createDocumentService({ ...server, maxChainLength }),
  async () => (await import('./services/stream/stream-service.ts')).createStreamService(),
  async (configuration) =>
    (await import('./services/files/files-service.ts')).createFilesService(undefined, repositoryFolders(configuration)),
  async () => (await import('./services/sqlite/sqlite-service.ts')).createSqliteService(),
  async (configuration) =>
    (await import('./services/postgresql/postgresql-service.ts')).createPostgresqlService(
      createServiceSecretResolver(configuration, process.env),
    ),
  async (configuration) =>
    (await import('./services/postgresql-physical/postgresql-physical-service.ts')).createPostgresqlPhysicalService(
      createServiceSecretResolver(configuration, process.env),
      walGetCommand(configuration),
    ),
  externalService,
];

/** Joins what services may not import from each other: streams, PostgreSQL's archives, buckets. */
async function externalService(configuration: Configuration): Promise<Service> {
  const [{ createExternalService }, { createStreamService }] = await Promise.all([
    import('./services/external/external-service.ts'),
    import('./services/stream/stream-service.ts'),
  ]);
  const resolve = createServiceSecretResolver(configuration, process.env);
  return createExternalService({
    stream: createStreamService(),
    resolveSecret: resolve,
    openBucket: async (bucket) =>
      // A developer waits for the answer: fewer attempts than a repository makes.
      (await import('./storage/s3/s3-object-source.ts')).openS3ObjectSource({ ...bucket, attempts: 4 }, resolve),
    sqlOfArchive: async function* (source, head, signal) {
      const { sqlOfForeignArchive } = await import('./services/postgresql/foreign-archive.ts');
      yield* sqlOfForeignArchive(source, head, signal);
    },
    now: () => clock.now(),
  });
}

interface IdentityParts {
  identity: IdentityConfiguration;
  rules: readonly GrantRule[];
  resolveSecret: (reference: string) => Promise<string>;
  clock: Clock;
  catalogue: Catalogue;
  passwords: PasswordHasher;
  logger: Logger;
}

/** One line for each way to tell who calls, in the order in which they are asked. */
const IDENTITY_PROVIDERS: readonly ((parts: IdentityParts) => Promise<IdentityProvider | undefined>)[] = [
  async ({ catalogue: { users }, ...parts }) =>
    (await import('./identity/local/local-users.ts')).createLocalUsers({ ...parts, users }),
  async ({ identity: { proxy }, ...parts }) =>
    proxy?.userHeader
      ? (await import('./identity/proxy/proxy-identity.ts')).createProxyIdentity({ ...parts, proxy })
      : undefined,
  async ({ identity: { oidc }, ...parts }) =>
    oidc && (await import('./identity/oidc/oidc-identity.ts')).createOidcIdentity({ ...parts, oidc }),
  async ({ identity: { ldap }, ...parts }) =>
    ldap && (await import('./identity/ldap/ldap-identity.ts')).createLdapIdentity({ ...parts, ldap }),
];

const clock: Clock = { now: () => new Date() };
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const composition: Composition = {
  version,
  loadConfiguration: async (options) => {
    configurationFile = options?.file ?? process.env.HOLDFAST_CONFIG;
    const { loadConfiguration } = await import('./config/load-configuration.ts');
    return loadConfiguration({ ...options, environment: process.env, workingFolder: process.cwd() });
  },
  openApplication,
  serve,
  keyProvider,
  resolveSecret: ownSecret,
  tryNotifications: async (targets, signal) =>
    (await import('./notifiers/notification-trial.ts')).tryNotifications(targets, { ...notificationParts(), signal }),
  inspectNotifications: async (targets, signal) =>
    (await import('./notifiers/notification-inspection.ts')).inspectNotifications(targets, {
      ...notificationParts(),
      signal,
    }),
  createKeyFile,
  acquireServiceLock: (dataFolder) => acquireServiceLock(dataFolder, clock),
  runningService,
  inspectRepository,
  openReplica,
  storageSetting: async (place) => (await import('./config/storage-place.ts')).settingOf(place, process.cwd()),
  policyWorkshop: async ({ downloads }) =>
    (await import('./downloads/variants/policy-workshop.ts')).createPolicyWorkshop({
      policyFolder: downloads?.policyFolder,
      transformerFolder: downloads?.transformerFolder,
      resolveSecret: ownSecret,
    }),
  logFiles: async () => (await import('./services/postgresql-physical/wal-files.ts')).walFiles,
  setCatalogueAside: (dataFolder) => setAside(catalogueFile(dataFolder), clock.now()),
};

async function openApplication(
  configuration: Configuration,
  mode: ApplicationMode,
  options: OpenApplicationOptions = {},
): Promise<Application> {
  if (options.startThreads === true) {
    const { startWaitingThreads } = await import('./repository/pipeline/waiting-threads.ts');
    startWaitingThreads(configuration.repositories[0]?.workers ?? 0);
  }
  const [
    { createApplication },
    { createCopyOpener },
    { createDrillFolders },
    { openRepositories },
    { mayBeginRepository },
    { configuredNotifier },
    { openSqliteCatalogue },
    logger,
  ] = await Promise.all([
    import('./core/create-application.ts'),
    import('./process/open-copies.ts'),
    import('./process/drill-folders.ts'),
    import('./process/open-repositories.ts'),
    import('./process/missing-repository.ts'),
    import('./notifiers/configured-notifier.ts'),
    import('./catalogue/sqlite/sqlite-catalogue.ts'),
    mode === 'command' && configuration.logLevel === 'silent' ? SILENT_LOG : processLog(configuration.logLevel),
  ]);
  const file = catalogueFile(configuration.dataFolder);
  const openCatalogue = () => openSqliteCatalogue({ file });
  const services = await Promise.all(SERVICES.map((create) => create(configuration)));
  const adapters = { openStorage, keyProvider, createKeyFile, clock };
  const repositories = await openRepositories(configuration.repositories, adapters, {
    initialise: async ({ id }, location) =>
      options.initialise ?? (mode === 'serve' && (await mayBeginRepository({ id, location }, file, openCatalogue))),
    onKeyFileMade: options.onKeyFileMade ?? ((file) => process.stderr.write(keyFileNotice(file))),
  });
  try {
    const catalogue = await openCatalogue();
    const owner = ownProcess();
    const drillFolders = createDrillFolders({ owner, isAlive: isProcessAlive });
    const queue = await openQueue(mode, { catalogue, configuration, owner, logger });
    const { application, run } = createApplication({
      configuration,
      repositories,
      copies: createCopyOpener(adapters),
      services,
      catalogue,
      queue,
      notifier: await configuredNotifier(configuration.notifications ?? [], {
        ...{ logger, onUndelivered: options.onUndelivered },
        ...notificationParts(),
        // A command is over within minutes, and says itself what it could not deliver.
        ...(mode === 'serve' ? { undelivered: catalogue.undelivered } : {}),
      }),
      ...(await hooksOf(configuration)),
      ...(await turnsOf(configuration)),
      ...(await variantsOf(configuration, drillFolders)),
      ...(await sealerOf(mode)),
      clock,
      logger,
      version,
      owner,
      isAlive: isProcessAlive,
      drillFolders,
      identity: await identityOf(configuration, mode, { catalogue, logger }),
      environment: { node: process.version, host: hostname(), system: `${type()} ${release()} ${arch()}` },
    });
    if (mode === 'command') await queue.start(run);
    return application;
  } catch (error) {
    await Promise.allSettled(repositories.map((repository) => repository.close()));
    throw error;
  }
}

/** Of what the configuration file or a command of its operator refers to. */
function ownSecret(reference: string): Promise<string> {
  return resolveSecret(reference, process.env);
}

/** Commands change passwords; only the service is asked who calls. */
async function identityOf(
  { identity = { grants: [] } }: Configuration,
  mode: ApplicationMode,
  parts: { catalogue: Catalogue; logger: Logger },
): Promise<{ providers: readonly IdentityProvider[]; passwords: PasswordHasher }> {
  const { createArgon2Passwords } = await import('./identity/local/argon2-passwords.ts');
  const passwords = createArgon2Passwords();
  if (mode === 'command') return { providers: [], passwords };
  const common = { ...parts, identity, rules: identity.grants, passwords, clock, resolveSecret: ownSecret };
  const providers = await Promise.all(IDENTITY_PROVIDERS.map((create) => create(common)));
  return { providers: providers.filter((provider) => provider !== undefined), passwords };
}

/** What notifications take besides the configuration. */
function notificationParts() {
  return { resolveSecret: ownSecret, clock, version, host: hostname(), environment: process.env };
}

/** Hooks get secrets as resources do: none of Holdfast itself. */
async function hooksOf(configuration: Configuration): Promise<{ hooks?: HookRunner }> {
  const { hooks = [] } = configuration;
  if (hooks.length === 0) return {};
  const { createProcessHookRunner } = await import('./hooks/process-hook-runner.ts');
  return { hooks: createProcessHookRunner(hooks, createServiceSecretResolver(configuration, process.env)) };
}

/** What waits for its turn in other processes too: hooks, and the making of variants. */
async function turnsOf({ hooks = [], downloads, dataFolder }: Configuration): Promise<{ turns?: ResourceTurns }> {
  if (hooks.length === 0 && downloads?.policyFolder === undefined) return {};
  return { turns: (await import('./catalogue/sqlite/resource-turns.ts')).createResourceTurns(dataFolder) };
}

async function variantsOf(
  { downloads }: Configuration,
  folders: DrillFolders,
): Promise<{ variantMaker?: VariantMaker; variantVerifier?: VariantVerifier }> {
  if (downloads?.policyFolder === undefined) return {};
  const { createPolicyVariantMaker } = await import('./downloads/variants/policy-variant-maker.ts');
  const { policyFolder, transformerFolder } = downloads;
  return {
    variantMaker: createPolicyVariantMaker({ policyFolder, transformerFolder, resolveSecret: ownSecret }),
    variantVerifier: createVariantVerification({
      postgresql: async () => {
        const { createPostgresqlVariantVerifier } = await import('./services/postgresql/variant-verifier.ts');
        return createPostgresqlVariantVerifier({ sealer: await newSealer(), folders });
      },
      mysql: async () => {
        const { createMysqlVariantVerifier } = await import('./services/mysql/variant-verifier.ts');
        return createMysqlVariantVerifier({ sealer: await newSealer(), folders });
      },
    }),
  };
}

async function newSealer(): Promise<SqlSealer> {
  return (await import('./downloads/sql/sql-sealer.ts')).createSqlSealer();
}

/** Commands give no downloads themselves. */
async function sealerOf(mode: ApplicationMode): Promise<{ sealer?: SqlSealer }> {
  if (mode === 'command') return {};
  return { sealer: await newSealer() };
}

/** The service takes operations from the catalogue; a command runs its own and nobody else's. */
async function openQueue(
  mode: ApplicationMode,
  parts: { catalogue: Catalogue; configuration: Configuration; owner: string; logger: Logger },
): Promise<WorkQueue> {
  const { catalogue, configuration, owner, logger } = parts;
  if (mode === 'command') {
    const { createInProcessQueue } = await import('./queue/in-process/in-process-queue.ts');
    return createInProcessQueue(catalogue.operations, owner);
  }
  const { createEmbeddedQueue } = await import('./queue/embedded/embedded-queue.ts');
  return createEmbeddedQueue({
    operations: catalogue.operations,
    owner,
    concurrency: configuration.concurrency,
    logger,
  });
}

async function serve(application: Application, configuration: Configuration): Promise<RunningServer> {
  const [{ serve: listen }, logger] = await Promise.all([
    import('./adapters/http/serve.ts'),
    processLog(configuration.logLevel),
  ]);
  return listen(application, configuration, logger);
}

function keyProvider<Kind extends KeyConfiguration['kind']>(
  configuration: KeyConfiguration & { kind: Kind },
): KeyProvider {
  return KEYS[configuration.kind](configuration);
}

async function openStorage({ id, storage }: Pick<RepositoryConfiguration, 'id' | 'storage'>): Promise<Storage> {
  const open = STORAGES[storage.kind];
  if (open !== undefined) return open(storage.options);
  const message = `The repository "${id}" names the storage "${storage.kind}". There are: ${Object.keys(STORAGES).join(', ')}.`;
  throw new HoldfastError('invalid', 'storage-kind-unknown', message, { details: { kind: storage.kind } });
}

async function openReplica(place: string): Promise<Storage> {
  const { storageAt } = await import('./config/storage-place.ts');
  const chosen = storageAt(place, { workingFolder: process.cwd(), environment: process.env });
  const storage = await openStorage({ id: place, storage: chosen });
  const { repositoryExists } = await import('./repository/initialise-repository.ts');
  if (await repositoryExists(storage)) return storage;
  await storage.close();
  throw new HoldfastError('no-repository', 'repository-missing', `There is no repository in ${place} to fetch from.`);
}

async function inspectRepository(
  configuration: Configuration,
  repositoryId: string,
  options?: { tryWriting: boolean },
): Promise<RepositoryInspection> {
  const found = configuration.repositories.find(({ id }) => id === repositoryId);
  if (found === undefined) {
    const message = `There is no repository "${repositoryId}" in the configuration.`;
    throw new HoldfastError('not-found', 'repository-not-found', message, { details: { repositoryId } });
  }
  const { repositoryExists } = await import('./repository/initialise-repository.ts');
  const storage = await openStorage(found);
  try {
    const exists = await repositoryExists(storage);
    if (exists && options?.tryWriting === true) await storage.tryWriting?.();
    return { id: repositoryId, location: storage.location, exists };
  } finally {
    await storage.close();
  }
}

let configurationFile: string | undefined;

/** A restored server runs elsewhere and as another account: all that this process found by itself is named. */
function walGetCommand({ dataFolder }: Configuration): (resourceId: string) => readonly string[] {
  const launcher = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));
  const file = configurationFile ?? (existsSync('holdfast.yaml') ? 'holdfast.yaml' : undefined);
  const named = file === undefined ? [] : ['--config', path.resolve(file)];
  return (resourceId) => [
    ...[process.execPath, launcher, ...named, '--data', dataFolder],
    ...['wal-get', '--resource', resourceId],
  ];
}

function catalogueFile(dataFolder: string): string {
  return path.join(dataFolder, 'catalogue.sqlite');
}

process.exitCode = await runCommandLine(process.argv.slice(2), composition);
