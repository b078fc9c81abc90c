import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { ForgottenSnapshot } from '../../../core/ports/repository-collection.ts';
import type { CommandSession } from '../command-session.ts';
import { formatBytes, formatTime, localTimeZone } from '../formatting.ts';

export function define(command: Command, session: CommandSession): void {
  command
    .command('list')
    .description('List forgotten backups that can still be brought back.')
    .action(() => listTrash(session));
  command
    .command('restore')
    .description('Bring forgotten backups back.')
    .argument('<backup...>', 'ids from "holdfast trash list"')
    .action((ids: string[]) => restoreFromTrash(session, ids));
}

type Entry = ForgottenSnapshot & { repositoryId: string };

async function listTrash(session: CommandSession): Promise<void> {
  const entries = await allTrash(await session.application());
  const shown = entries.map(({ backup, ...entry }) => ({
    ...entry,
    resourceId: backup.resourceId,
    createdAt: backup.createdAt,
    size: backup.size,
  }));
  session.output.table(
    { forgotten: shown },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: 'Resource', value: ({ resourceId }) => resourceId },
      { heading: `Made (${localTimeZone()})`, value: ({ createdAt }) => formatTime(createdAt) },
      { heading: 'Size', value: ({ size }) => formatBytes(size), align: 'right' },
      { heading: 'Until', value: ({ expiresAt }) => formatTime(expiresAt) },
      { heading: 'Because', value: ({ reason }) => reason },
    ],
    shown,
    'The trash is empty.',
  );
}

async function restoreFromTrash(session: CommandSession, ids: readonly string[]): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'backup.undelete', details: { backupIds: ids.slice(0, 100) } };
  const entries = new Map((await allTrash(application)).map((entry) => [entry.id, entry]));
  // All are looked up first, so that a mistyped id brings nothing back. Bases were made before what builds on them.
  const wanted = ids.map((id) => entries.get(id) ?? notInTrash(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { repositoryId, id } of wanted) await application.repositories.undelete(repositoryId, id);
  session.output.result({ restored: wanted.map(({ id }) => id) }, () => wanted.map(({ id }) => `Brought back ${id}`));
}

async function allTrash(application: Application): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const { id } of await application.repositories.list())
    for (const entry of await application.repositories.trash(id)) entries.push({ ...entry, repositoryId: id });
  return entries;
}

function notInTrash(id: string): never {
  const message = `The trash does not hold ${id}. "holdfast trash list" shows what it holds.`;
  throw new HoldfastError('not-found', 'not-in-trash', message, { details: { backupId: id } });
}
