import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Application } from '../../../core/application.ts';
import type { ConfigurationOverrides } from '../../../core/composition.ts';
import type { Configuration, KeyConfiguration } from '../../../core/configuration.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { count } from '../formatting.ts';
import { startProgress } from '../progress-display.ts';
import { addKeyOptions, type KeyOptions, namedKey } from '../secret-source.ts';

interface RecoveredRepository {
  id: string;
  location: string;
  added: number;
  removed: number;
  unreadable: readonly string[];
}

type RecoverOptions = KeyOptions & { repository?: string };

export function define(command: Command, session: CommandSession): void {
  addKeyOptions(
    command.option('--repository <place>', 'folder or s3://bucket/prefix of the repository (default: as configured)'),
  )
    .addHelpText('after', EXAMPLE)
    .action((options: RecoverOptions) => recover(session, options));
}

const EXAMPLE = `
The machine is gone; the repository and a key are left:
  holdfast recover --repository /mnt/disk/repository --key-file /media/usb/holdfast.key --data /var/lib/holdfast

A catalogue that is in the data folder already is moved aside, not deleted.
Users, tokens, policies, schedules and the configuration of resources live in the catalogue alone and must be made again.`;

async function recover(session: CommandSession, options: RecoverOptions): Promise<void> {
  const configuration = await session.configuration({ logLevel: 'silent', ...overridesFrom(options) });
  await refuseWhileServed(session, configuration);
  await refuseMissingRepositories(session, configuration);
  const setAside = await session.composition.setCatalogueAside(configuration.dataFolder);
  const application = await session.application(configuration, { initialise: false });
  session.deed = { action: 'repository.recover' };
  const display = startProgress('recover', session.output.options);
  const repositories: RecoveredRepository[] = [];
  try {
    for (const { id, location } of await application.repositories.list()) {
      session.signal.throwIfAborted();
      const result = await application.repositories.reconcile(id, (progress) => display.report(progress));
      repositories.push({ id, location, ...result });
    }
  } finally {
    display.end();
  }
  const settings = await settingsToWrite(session, options, configuration);
  const toSetUp = await resourcesToSetUp(application);
  const unreadable = repositories.flatMap((repository) => repository.unreadable);
  for (const what of unreadable) session.output.warn(`Not readable: ${what}. "holdfast verify" says more.`);
  if (unreadable.length > 0) session.exitCode = ExitCode.damageFound;
  session.output.result({ dataFolder: configuration.dataFolder, setAside, repositories }, () => [
    ...repositories.map(({ location, added }) => `Found ${count(added, 'backup')} in ${location}.`),
    ...(setAside === undefined ? [] : [`The old catalogue lies in ${setAside}.`]),
    `The catalogue in ${configuration.dataFolder} is complete. "holdfast list" shows the backups.`,
    ...toSetUp,
    ...settings,
  ]);
}

/** They restore, and nothing backs them up again. */
async function resourcesToSetUp(application: Application): Promise<string[]> {
  const fetched = new Set(application.services.filter(({ source }) => source === 'fetched').map(({ name }) => name));
  const unset: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await application.resources.list({ limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    for (const { id, service, configuration } of page.items)
      if (fetched.has(service) && Object.keys(configuration).length === 0) unset.push(id);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  if (unset.length === 0) return [];
  const names = unset.slice(0, MOST_NAMED).join(', ');
  const more = unset.length > MOST_NAMED ? ` and ${unset.length - MOST_NAMED} more` : '';
  return [
    `What Holdfast fetches itself has to be set up again, by "holdfast resource set ID --set …": ${names}${more}.`,
  ];
}

const MOST_NAMED = 20;

/** Options hold for this command alone: what comes next would look for repository and key elsewhere. */
async function settingsToWrite(
  { composition }: CommandSession,
  options: RecoverOptions,
  { dataFolder }: Configuration,
): Promise<string[]> {
  const key = namedKey(options);
  if (options.repository === undefined && key === undefined) return [];
  const place = options.repository === undefined ? {} : await composition.storageSetting(options.repository);
  const keys =
    key === undefined ? {} : { keys: [key.kind === 'keyfile' ? { file: key.path } : { passphrase: key.passphrase }] };
  const settings = { data: dataFolder, repository: { ...place, ...keys } };
  return [
    'Options hold for one command. Write this into holdfast.yaml before the next one, unless it is there:',
    ...stringify(settings)
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

function overridesFrom(options: RecoverOptions): ConfigurationOverrides {
  const key = namedKey(options);
  if (key?.kind === 'keyfile' && !existsSync(key.path)) {
    throw usageError('key-file-missing', `There is no key file ${key.path}.`);
  }
  return {
    ...(options.repository === undefined ? {} : { repository: options.repository }),
    ...keyOverride(key),
  };
}

function keyOverride(key: KeyConfiguration | undefined): ConfigurationOverrides {
  if (key === undefined) return {};
  return key.kind === 'keyfile' ? { keyFile: key.path } : { passphrase: key.passphrase };
}

async function refuseWhileServed(session: CommandSession, configuration: Configuration): Promise<void> {
  const running = await session.composition.runningService(configuration.dataFolder);
  if (running === undefined) return;
  throw new HoldfastError(
    'locked',
    'data-folder-in-use',
    `Process ${running.pid} serves ${configuration.dataFolder}. Stop it first, or recover into another --data folder.`,
  );
}

/** Asked before anything is moved: a mistyped folder must leave the old catalogue where it is. */
async function refuseMissingRepositories(session: CommandSession, configuration: Configuration): Promise<void> {
  for (const { id } of configuration.repositories) {
    const { exists, location } = await session.composition.inspectRepository(configuration, id);
    if (exists) continue;
    throw new HoldfastError(
      'no-repository',
      'repository-missing',
      `There is no repository at ${location}. Name its folder or s3:// address with --repository.`,
    );
  }
}
