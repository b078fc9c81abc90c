import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { z } from 'zod';
import type { ConfigurationOverrides } from '../core/composition.ts';
import type {
  Configuration,
  CopyConfiguration,
  KeyConfiguration,
  RepositoryConfiguration,
} from '../core/configuration.ts';
import { HoldfastError, messageOf, systemErrorCode } from '../core/errors.ts';
import { nearestName } from '../core/nearest-name.ts';
import { plainIssue } from '../core/plain-issue.ts';
import { type ConfigurationFile, configurationFileSchema, environmentSchema } from './configuration-file.ts';
import { downloadsOf } from './downloads-schema.ts';
import { hookOf } from './hook-schema.ts';
import { identityOf } from './identity-schema.ts';
import { notificationOf } from './notification-schema.ts';
import { storageAt, storageOf } from './storage-place.ts';

export interface LoadOptions {
  /** Path of a file that must be there; default: `HOLDFAST_CONFIG`, or `holdfast.yaml` in the working folder if there is one. */
  file?: string;
  environment: NodeJS.ProcessEnv;
  workingFolder: string;
  overrides?: ConfigurationOverrides;
}

/**
 * What the command line says wins over the environment, that over `holdfast.yaml`, that over the defaults.
 *
 * @throws HoldfastError `configuration-invalid`, `configuration-missing`, `secret-in-configuration`, `key-inside-repository` (invalid),
 * naming the field
 */
export async function loadConfiguration(options: LoadOptions): Promise<Configuration> {
  const { workingFolder, overrides = {} } = options;
  const environment = readEnvironment(options.environment);
  const file = await readConfigurationFile(options.file ?? environment.HOLDFAST_CONFIG, workingFolder);
  const dataFolder = path.resolve(
    workingFolder,
    overrides.dataFolder ?? environment.HOLDFAST_DATA ?? file.data ?? 'data',
  );
  await checkRecurrence('cleanup', file.cleanup, CLEANUP_CRON);
  await checkRecurrence('prune', file.prune, PRUNE_CRON);
  await checkRecurrence('scrub', file.scrub, SCRUB_CRON);
  await checkRecurrence('copy', file.copy, COPY_CRON);
  const repository = repositoryOf(file, environment, overrides, dataFolder, options);
  return {
    dataFolder,
    server: {
      host: overrides.host ?? environment.HOST ?? file.server?.host ?? '127.0.0.1',
      port: overrides.port ?? environment.PORT ?? file.server?.port ?? 3004,
      documentLimitBytes: file.server?.documentLimitBytes ?? 268_435_456,
      documentDepthLimit: file.server?.documentDepthLimit ?? 500,
      bodyLimitBytes: file.server?.bodyLimitBytes ?? 1_048_576,
      requestsPerMinute: file.server?.requestsPerMinute ?? 0,
      maxConcurrentTransfers: file.server?.maxConcurrentTransfers ?? 64,
      allowedHosts: file.server?.allowedHosts ?? [],
    },
    repositories: [repository],
    copies: (file.copies ?? []).map((copy) => copyOf(copy, repository, options)),
    copy: { cron: COPY_CRON, timeZone: 'UTC', enabled: true, ...withoutUndefined(file.copy) },
    hooks: (file.hooks ?? []).map(hookOf),
    notifications: (file.notifications ?? []).map((target) => notificationOf(target, workingFolder)),
    downloads: downloadsOf(file.downloads, workingFolder),
    ...(file.identity === undefined ? {} : { identity: identityOf(file.identity, workingFolder) }),
    maxSnapshots: file.maxSnapshots ?? 100,
    maxChainLength: file.maxChainLength ?? 50,
    trashDays: file.trashDays ?? 7,
    operationDays: file.operationDays ?? 90,
    cleanup: { cron: CLEANUP_CRON, timeZone: 'UTC', enabled: true, ...withoutUndefined(file.cleanup) },
    scrub: { cron: SCRUB_CRON, timeZone: 'UTC', enabled: true, fraction: 1 / 30, ...withoutUndefined(file.scrub) },
    prune: { cron: PRUNE_CRON, timeZone: 'UTC', enabled: true, ...withoutUndefined(file.prune) },
    concurrency: file.concurrency ?? 2,
    logLevel: overrides.logLevel ?? environment.HOLDFAST_LOG_LEVEL ?? file.logLevel ?? 'info',
  };
}

type Environment = z.infer<typeof environmentSchema>;

function repositoryOf(
  file: ConfigurationFile,
  environment: Environment,
  overrides: ConfigurationOverrides,
  dataFolder: string,
  from: LoadOptions,
): RepositoryConfiguration {
  const { workingFolder } = from;
  const place = overrides.repository ?? environment.HOLDFAST_REPOSITORY;
  const storage =
    (place === undefined ? storageOf(file.repository ?? {}, from) : storageAt(place, from, file.repository?.s3)) ??
    storageAt(path.join(dataFolder, 'repository'), from);
  const named: KeyConfiguration[] = [
    ...keysOf(overrides.keyFile, overrides.passphrase),
    ...keysOf(
      environment.HOLDFAST_KEY_FILE,
      environment.HOLDFAST_PASSPHRASE === undefined ? undefined : 'env:HOLDFAST_PASSPHRASE',
    ),
    ...keysOf(
      undefined,
      environment.HOLDFAST_PASSPHRASE_FILE === undefined
        ? undefined
        : `file:${path.resolve(workingFolder, environment.HOLDFAST_PASSPHRASE_FILE)}`,
    ),
    ...(file.repository?.keys ?? []).flatMap((key) => keysOf(key.file, key.passphrase)),
  ];
  const keys = named.map((key) =>
    key.kind === 'keyfile' ? { ...key, path: path.resolve(workingFolder, key.path) } : key,
  );
  const {
    cipher = 'aes-256-gcm',
    codec = 'zstd',
    zstdLevel = 3,
    workers = Math.min(storage.kind === 's3' ? 4 : 8, availableParallelism()),
  } = file.repository ?? {};
  return {
    id: 'default',
    storage,
    keys: keys.length > 0 ? keys : [{ kind: 'keyfile', path: defaultKeyFile(dataFolder, storage.options.folder) }],
    keyIsDefault: keys.length === 0,
    settings: { cipher, codec, zstdLevel },
    workers,
  };
}

/** What a copy does not say is as in the repository, its keys as well: one key file then opens both, each with a master key of its own. */
function copyOf(
  copy: NonNullable<ConfigurationFile['copies']>[number],
  repository: RepositoryConfiguration,
  from: LoadOptions,
): CopyConfiguration {
  const { cipher, codec, zstdLevel } = { ...repository.settings, ...withoutUndefined(copy) };
  const named = (copy.keys ?? []).flatMap((key) => keysOf(key.file, key.passphrase));
  const keys = named.map((key) =>
    key.kind === 'keyfile' ? { ...key, path: path.resolve(from.workingFolder, key.path) } : key,
  );
  const { keepForgottenDays = KEEP_FORGOTTEN_DAYS } = copy;
  return {
    id: copy.id,
    storage: storageOf(copy, from) ?? repository.storage,
    keys: keys.length > 0 ? keys : repository.keys,
    keyIsDefault: keys.length === 0 && repository.keyIsDefault,
    settings: { cipher, codec, zstdLevel },
    workers: copy.workers ?? repository.workers,
    ...(keepForgottenDays === 'forever' ? {} : { keepForgottenDays }),
  };
}

/** @throws HoldfastError `key-inside-repository`: whoever gets hold of the backups would have their key as well */
function defaultKeyFile(dataFolder: string, repositoryFolder: unknown): string {
  const file = path.join(dataFolder, 'keys', 'holdfast.key');
  if (typeof repositoryFolder !== 'string' || !file.startsWith(path.join(repositoryFolder, path.sep))) return file;
  throw new HoldfastError(
    'invalid',
    'key-inside-repository',
    `The repository's folder ${repositoryFolder} holds the data folder ${dataFolder}, and the key file would be made in there beside the backups. Choose another folder for either, or name a key yourself (HOLDFAST_KEY_FILE, HOLDFAST_PASSPHRASE or \`repository.keys\`).`,
  );
}

/** Found here, not when the service has started. The scheduler's parser is loaded only where there is something to parse. */
async function checkRecurrence(
  name: 'cleanup' | 'prune' | 'scrub' | 'copy',
  recurrence: ConfigurationFile['cleanup'],
  usual: string,
): Promise<void> {
  if (recurrence?.cron === undefined && recurrence?.timeZone === undefined) return;
  const { requireCron } = await import('../core/schedule-manager.ts');
  try {
    requireCron(recurrence.cron ?? usual, recurrence.timeZone ?? 'UTC', new Date());
  } catch (cause) {
    throw new HoldfastError(
      'invalid',
      'configuration-invalid',
      `The setting \`${name}\` is not valid: ${messageOf(cause)} Time zones are named as in "Europe/Berlin".`,
      { cause },
    );
  }
}

const CLEANUP_CRON = '17 * * * *';
const PRUNE_CRON = '41 3 * * *';
const SCRUB_CRON = '11 5 * * *';
const COPY_CRON = '23 6 * * *';
const KEEP_FORGOTTEN_DAYS = 30;

type Defined<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> };

function withoutUndefined<Values extends object>(values: Values | undefined): Defined<Values> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined)) as Defined<Values>;
}

function keysOf(file: string | undefined, passphrase: string | undefined): KeyConfiguration[] {
  return [
    ...(file === undefined ? [] : [{ kind: 'keyfile' as const, path: file }]),
    ...(passphrase === undefined ? [] : [{ kind: 'passphrase' as const, passphrase }]),
  ];
}

function readEnvironment(environment: NodeJS.ProcessEnv): Environment {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(set);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new HoldfastError(
    'invalid',
    'configuration-invalid',
    `The environment variable ${issue?.path.join('.')} is not valid: ${plainIssue(issue?.message ?? '')}.`,
  );
}

async function readConfigurationFile(named: string | undefined, workingFolder: string): Promise<ConfigurationFile> {
  const file = path.resolve(workingFolder, named ?? 'holdfast.yaml');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT' && named === undefined) return {};
    throw new HoldfastError(
      'invalid',
      'configuration-missing',
      systemErrorCode(cause) === 'ENOENT'
        ? `There is no configuration file ${file}. Correct --config (or HOLDFAST_CONFIG), or leave it away to use holdfast.yaml or the defaults.`
        : `The configuration file ${file} cannot be read: ${messageOf(cause)}. Check its owner and permissions.`,
      { cause },
    );
  }
  // Most commands run without a file, and what reads YAML is large.
  const { parseYaml } = await import('./parse-yaml.ts');
  const parsed = configurationFileSchema.safeParse(withoutEmpty(parseYaml(file, text)) ?? {});
  if (!parsed.success) throw fieldError(file, parsed.error);
  return parsed.data;
}

/** A section whose settings are all commented out is null in YAML, and means nothing was set. */
function withoutEmpty(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutEmpty(member)]));
}

function fieldError(file: string, error: z.ZodError): HoldfastError {
  const issue = error.issues[0];
  const where = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const near = nearestName(key, knownKeysAt(issue.path));
    return new HoldfastError(
      'invalid',
      'configuration-invalid',
      `${file} has an unknown setting \`${where === '' ? key : `${where}.${key}`}\`.${near === undefined ? '' : ` Did you mean \`${near}\`?`}`,
    );
  }
  if (where === '') {
    const message = `${file} must hold settings by name, such as \`data: /var/lib/holdfast\`.`;
    return new HoldfastError('invalid', 'configuration-invalid', message);
  }
  const isSecret = issue?.code === 'custom' && issue.params?.secret === true;
  const code = isSecret ? 'secret-in-configuration' : 'configuration-invalid';
  return new HoldfastError(
    'invalid',
    code,
    `The setting \`${where}\` in ${file} is not valid: ${plainIssue(issue?.message ?? '')}.`,
  );
}

function knownKeysAt(place: readonly PropertyKey[]): string[] {
  let schema: unknown = configurationFileSchema;
  for (const step of place) {
    if (typeof step !== 'string') continue;
    schema = shapeOf(schema)?.[step];
  }
  return Object.keys(shapeOf(schema) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  let current = schema;
  while (typeof current === 'object' && current !== null) {
    if ('shape' in current && typeof current.shape === 'object' && current.shape !== null)
      return current.shape as Record<string, unknown>;
    if ('unwrap' in current && typeof current.unwrap === 'function') current = current.unwrap();
    else if ('element' in current) current = current.element;
    else return undefined;
  }
  return undefined;
}
