import { unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { Configuration } from '../../../core/configuration.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { KeySlot } from '../../../core/ports/repository.ts';
import type { Column } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { count, formatTime, localTimeZone } from '../formatting.ts';
import { addKeyOptions, type KeyOptions, keyFrom } from '../secret-source.ts';

interface RepositoryOption {
  repository?: string;
}

export function define(command: Command, session: CommandSession): void {
  const keyed = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .option('--repository <id>', 'id of the repository (default: the one for new backups)');
  keyed('list', 'List what opens the repository.').action((options: RepositoryOption) => listKeys(session, options));
  addKeyOptions(keyed('add', 'Let one more passphrase or key file open the repository; asks for a passphrase.'))
    .option('--new-key-file <file>', 'make a key file and add it')
    .option('--label <text>', 'what to call it')
    .action((options: AddOptions) => addKey(session, options));
  keyed('remove', 'Take a passphrase or key file its access. The last one stays.')
    .argument('<slot>', 'id from "holdfast key list"')
    .option('--in-use', 'also the one that the configuration opens the repository with')
    .action((slotId: string, options: RemoveOptions) => removeKey(session, slotId, options));
  keyed('rotate', 'Begin a new master key. Existing backups stay readable; new ones use the new key.')
    .option('--drop-others', 'drop keys that this machine cannot open instead of refusing')
    .action((options: RotateOptions) => rotateKeys(session, options));
}

type AddOptions = RepositoryOption & KeyOptions & { newKeyFile?: string; label?: string };
type RemoveOptions = RepositoryOption & { inUse?: boolean };
type RotateOptions = RepositoryOption & { dropOthers?: boolean };

async function listKeys(session: CommandSession, options: RepositoryOption): Promise<void> {
  const { application, id } = await opened(session, options);
  session.deed = { action: 'key.list', subject: id };
  const slots = await application.repositories.keys(id);
  session.output.table({ keys: slots }, slotColumns(), slots, 'No keys.');
}

async function addKey(session: CommandSession, options: AddOptions): Promise<void> {
  const { application, id } = await opened(session, options);
  session.deed = { action: 'key.add', subject: id, details: { label: options.label } };
  const newKeyFile = options.newKeyFile === undefined ? undefined : resolve(options.newKeyFile);
  if (newKeyFile === undefined) {
    await addKeyFrom(session, application, id, options);
    return;
  }
  if (options.keyFile || options.passphraseFile || options.passphraseEnv) {
    throw usageError('key-ambiguous', '--new-key-file goes with no other key.');
  }
  await session.composition.createKeyFile(newKeyFile);
  try {
    await addKeyFrom(session, application, id, { ...options, keyFile: newKeyFile });
  } catch (error) {
    // A key file that opens nothing would be trusted some day.
    await unlink(newKeyFile);
    throw error;
  }
}

async function addKeyFrom(
  session: CommandSession,
  application: Application,
  id: string,
  options: AddOptions,
): Promise<void> {
  const { key, forget } = await keyFrom(options, { question: 'New passphrase', twice: true, signal: session.signal });
  try {
    const label = options.label ?? (key.kind === 'keyfile' ? 'key file' : 'passphrase');
    const slot = await application.repositories.addKey(id, session.composition.keyProvider(key), label);
    session.output.result({ key: slot }, () => [`Added ${slot.id} (${slot.kind}, "${slot.label}").`]);
  } finally {
    forget();
  }
}

async function removeKey(session: CommandSession, slotId: string, options: RemoveOptions): Promise<void> {
  const { application, id } = await opened(session, options);
  session.deed = { action: 'key.remove', subject: id, details: { slotId } };
  const slots = await application.repositories.keys(id);
  const isInUse = slots.some((slot) => slot.id === slotId && slot.current);
  // Whoever removes it is told by the next start of the service, which may be months away. The last one stays anyway.
  if (isInUse && slots.length > 1 && options.inUse !== true) throw keyInUse(slotId);
  await application.repositories.repository(id).keys.remove(slotId);
  session.output.result({ removed: slotId }, () => [`Removed ${slotId}.`]);
  session.output.note('Who has copied the master key before keeps it: "holdfast key rotate" begins a new one.');
}

function keyInUse(slotId: string): HoldfastError {
  const message = `By ${slotId} Holdfast itself opens the repository: without it neither the service nor this command would start again. Put another key first in the configuration (repository.keys, HOLDFAST_KEY_FILE), and remove it then; or say --in-use.`;
  return new HoldfastError('conflict', 'key-slot-in-use', message, { details: { slotId } });
}

async function rotateKeys(session: CommandSession, options: RotateOptions): Promise<void> {
  const { application, configuration, id } = await opened(session, options);
  session.deed = { action: 'key.rotate', subject: id, details: { dropOthers: options.dropOthers === true } };
  const providers = configuredKeys(configuration, id).map((key) => session.composition.keyProvider(key));
  const dropOthers = options.dropOthers === true;
  const result = await application.repositories.repository(id).keys.rotate(providers, { dropOthers });
  session.output.result({ ...result }, () => [
    `New backups are encrypted under key epoch ${result.epoch}; ${count(result.slots.length, 'key')} open it.`,
  ]);
  session.output.note(
    'What is there stays under the old key until prunes have written it again: "holdfast prune --rewrite-old-keys".',
  );
}

function configuredKeys(configuration: Configuration, id: string): Configuration['repositories'][number]['keys'] {
  const repository = configuration.repositories.find((candidate) => candidate.id === id);
  if (repository !== undefined) return repository.keys;
  throw new HoldfastError('not-found', 'repository-unknown', `No repository "${id}" is configured.`);
}

/** Opens the application and finds out which repository is meant: the first one that is configured, unless named. */
async function opened(session: CommandSession, options: RepositoryOption) {
  const configuration = await session.configuration({ logLevel: 'silent' });
  const application = await session.application(configuration);
  const id = options.repository ?? configuration.repositories[0]?.id ?? 'default';
  return { configuration, application, id };
}

function slotColumns(): Column<KeySlot>[] {
  return [
    { heading: 'ID', value: ({ id }) => id },
    { heading: 'Kind', value: ({ kind }) => kind },
    { heading: 'Label', value: ({ label }) => label },
    { heading: `Created (${localTimeZone()})`, value: ({ createdAt }) => formatTime(createdAt) },
    { heading: 'In use', value: ({ current }) => (current ? 'by this command' : '') },
  ];
}
