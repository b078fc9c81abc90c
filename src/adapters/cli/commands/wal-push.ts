import type { Command } from 'commander';
import type { CommandSession } from '../command-session.ts';
import { wholeNumber } from '../option-values.ts';

interface WalPushOptions {
  resource: string;
  parallel: number;
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<path>', 'the file that the server hands over (%p)')
    .requiredOption('--resource <id>', 'to whose log it belongs')
    .option('--parallel <n>', 'files to store at once, of those that wait', wholeNumber(1), 4)
    .addHelpText('after', "\nFor PostgreSQL: archive_command = 'holdfast wal-push --resource ID %p'")
    .action((path: string, options: WalPushOptions) => push(session, path, options));
}

async function push(session: CommandSession, path: string, { resource, parallel }: WalPushOptions): Promise<void> {
  const [files, application] = await Promise.all([session.composition.logFiles(), session.application()]);
  await application.resources.get(resource);
  await files.push(application.logs.of(resource), path, { parallel });
}
