import type { Command } from 'commander';
import type { TriedNotification } from '../../../core/composition.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { NotificationConfiguration } from '../../../core/notification-configuration.ts';
import type { Column } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';

export function define(command: Command, session: CommandSession): void {
  command
    .command('test')
    .description('Send a test to each target of the configuration, or to those named.')
    .argument('[name...]', 'names of entries of "notifications" in holdfast.yaml')
    .addHelpText('after', '\nEach is tried once, whatever events it wants. Exit code 1 if one was not taken.')
    .action((names: string[]) => test(session, names));
}

async function test(session: CommandSession, names: readonly string[]): Promise<void> {
  const { notifications = [] } = await session.configuration({ logLevel: 'silent' });
  const targets = await session.composition.tryNotifications(chosen(notifications, names), session.signal);
  if (targets.some(({ isTaken }) => !isTaken)) session.exitCode = ExitCode.failure;
  session.output.table({ ok: session.exitCode === 0, targets }, COLUMNS, targets, '');
}

function chosen(
  all: readonly NotificationConfiguration[],
  names: readonly string[],
): readonly NotificationConfiguration[] {
  if (all.length === 0) {
    const message =
      'The configuration names nobody to notify. Add an entry to "notifications" in holdfast.yaml, as docs/notifications.md tells.';
    throw new HoldfastError('not-found', 'notifications-not-configured', message);
  }
  const unknown = names.find((name) => all.every((each) => each.name !== name));
  if (unknown === undefined) return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  const known = all.map(({ name }) => name).join(', ');
  throw usageError(
    'notification-unknown',
    `There is no "${unknown}" among the notifications of holdfast.yaml: ${known}.`,
  );
}

const COLUMNS: Column<TriedNotification>[] = [
  { heading: 'Name', value: ({ name }) => name },
  { heading: 'Place', value: ({ place }) => place },
  { heading: 'Test', value: ({ isTaken, problem }) => (isTaken ? 'taken' : `not taken: ${problem?.message ?? ''}`) },
];
