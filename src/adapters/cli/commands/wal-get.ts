import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { wholeNumber } from '../option-values.ts';

interface WalGetOptions {
  resource: string;
  prefetch: number;
  upToGap?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<file>', 'name of the file that the server wants (%f)')
    .argument('<destination>', 'where to put it (%p), or - for standard output')
    .requiredOption('--resource <id>', 'whose log to read')
    .option('--prefetch <n>', 'following segments to fetch along', wholeNumber(0), 8)
    .option('--up-to-gap', 'give what is there before a gap, instead of refusing')
    .addHelpText('after', HELP_AFTER)
    .action((file: string, destination: string, options: WalGetOptions) => get(session, file, destination, options));
}

const HELP_AFTER = `
For PostgreSQL: restore_command = 'holdfast wal-get --resource ID %f %p'
Exit codes: 0 the file is there, 1 the log has no such file, ${ExitCode.recoveryMustStop} anything else, which stops the recovery.`;

async function get(session: CommandSession, name: string, destination: string, options: WalGetOptions): Promise<void> {
  const { resource: resourceId, prefetch, upToGap = false } = options;
  if (destination === '-') return getToOutput(session, name, options);
  const files = await session.composition.logFiles();
  if (await files.takeFetched({ resourceId, name, destination })) return;
  const application = await session.application();
  // A mistyped resource has an empty log: that must not look like the end of one.
  if ((await application.logs.of(resourceId).pieces()).length === 0) await application.resources.get(resourceId);
  const request = { resourceId, name, destination, prefetch, upToGap };
  if ((await files.get(application.logs.of(resourceId), request)) === 'fetched') return;
  session.output.note(`The log of "${resourceId}" has no ${name}.`);
  session.exitCode = ExitCode.failure;
}

/** For a server whose account may not use Holdfast's files: nothing is written before all of the file is there and verified. */
async function getToOutput(session: CommandSession, name: string, options: WalGetOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-wal-get-'));
  try {
    const file = join(folder, 'file');
    await get(session, name, file, { ...options, prefetch: 0 });
    if (session.exitCode === ExitCode.success) await pipeline(createReadStream(file), process.stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
