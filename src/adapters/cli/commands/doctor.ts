import type { Command } from 'commander';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import type { Finding } from '../finding.ts';
import { findings } from '../installation-check.ts';

const COLORS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

export function define(command: Command, session: CommandSession): void {
  command
    .addHelpText('after', '\nChanges nothing. Exit code 1 if something fails; warnings leave it 0.')
    .action(() => doctor(session));
}

async function doctor(session: CommandSession): Promise<void> {
  const found: Finding[] = [];
  for await (const finding of findings(session)) {
    found.push(finding);
    if (!session.output.options.json) await session.output.writePart(`${findingText(session, finding)}\n`);
  }
  if (found.some(({ state }) => state === 'fail')) session.exitCode = ExitCode.failure;
  if (session.output.options.json) session.output.result({ ok: session.exitCode === 0, checks: found }, () => []);
}

function findingText(session: CommandSession, { state, check, message, advice }: Finding): string {
  const mark = session.output.colored(COLORS[state], state.padEnd(4));
  const line = `${mark}  ${check.padEnd(14)} ${printable(message)}`;
  return advice === undefined ? line : `${line}\n${' '.repeat(21)}${printable(advice)}`;
}
