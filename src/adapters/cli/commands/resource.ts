import type { Command } from 'commander';
import type { ConnectionCheck } from '../../../core/ports/connection-check.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';

export function define(command: Command, session: CommandSession): void {
  command
    .command('test')
    .description('Say what a backup of a resource would find, what is missing and how to get it.')
    .argument('<resource>', 'id of the resource')
    .addHelpText('after', '\nChanges nothing. Exit code 1 if a check fails; warnings leave it 0.')
    .action((id: string) => testResource(session, id));
}

async function testResource(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'resource.test', subject: id };
  const { ok, checks } = await application.resources.test({ id }, session.signal);
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  session.deed = { action: 'resource.test', subject: id, details: { ok, failed } };
  if (!ok) session.exitCode = ExitCode.failure;
  session.output.result({ resourceId: id, ok, checks }, () => {
    const width = Math.max(...checks.map(({ name }) => printable(name).length));
    return checks.flatMap((check) => lines(session, check, width));
  });
}

const COLORS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'bold' } as const;

function lines(session: CommandSession, { name, outcome, message, advice }: ConnectionCheck, width: number): string[] {
  const mark = session.output.colored(COLORS[outcome], outcome.padEnd(7));
  const indent = ' '.repeat('skipped  '.length + width + 1);
  return [
    `${mark}  ${printable(name).padEnd(width)} ${printable(message)}`,
    ...(advice === undefined ? [] : [`${indent}${printable(advice)}`]),
  ];
}
