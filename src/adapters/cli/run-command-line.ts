import { type Command, CommanderError } from 'commander';
import type { Composition } from '../../core/composition.ts';
import { HoldfastError } from '../../core/errors.ts';
import { buildProgram } from './build-program.ts';
import { COMMANDS, type CommandSummary } from './command-list.ts';
import { CommandSession } from './command-session.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { wrongUsage } from './wrong-usage.ts';

/**
 * Runs one command from its words to its end: reports every failure on standard error, closes what it opened.
 *
 * @param words the command line without Node.js and the script: `process.argv.slice(2)`
 * @returns the exit code, one of `ExitCode`; never rejects
 */
export async function runCommandLine(words: readonly string[], composition: Composition): Promise<number> {
  const session = new CommandSession(composition);
  session.useOptions({ json: words.includes('--json'), color: !words.includes('--no-color') });
  session.failureExitCode = failureExitCodeAmong(words);
  endWithReader();
  reportUncaught(session);
  let failure: unknown;
  try {
    await run(words, session);
  } catch (error) {
    failure = error;
    const code = failed(error, session);
    session.exitCode = code === ExitCode.success ? code : (session.failureExitCode ?? code);
  }
  await session.close(failure).catch((error: unknown) => {
    session.output.failure(error);
    session.exitCode ||= session.failureExitCode ?? ExitCode.failure;
  });
  return session.exitCode;
}

/** Other words may be names of commands too, such as that of a resource: `wal-get --resource list`. */
function failureExitCodeAmong(words: readonly string[]): number | undefined {
  return COMMANDS.find(({ name, failureExitCode }) => failureExitCode !== undefined && words.includes(name))
    ?.failureExitCode;
}

async function run(words: readonly string[], session: CommandSession): Promise<void> {
  const program = await buildProgram(session, wantedAmong(words));
  silence(program);
  if (words.length === 0) program.outputHelp();
  else
    await program.parseAsync(words, { from: 'user' }).catch((error: unknown) => {
      throw error instanceof CommanderError && error.exitCode !== 0 ? wrongUsage(error, program, words) : error;
    });
}

/** What commander would say of a wrong command line is said once, by `failed`. */
function silence(command: Command): void {
  command.configureOutput({ writeErr: () => undefined });
  for (const each of command.commands) silence(each);
}

/** A command is loaded if its name is among the words; that loads one too many at times and never one too few. */
function wantedAmong(words: readonly string[]): (command: CommandSummary) => boolean {
  const all = words.includes('completion');
  return (command) => all || words.includes(command.name);
}

function failed(error: unknown, session: CommandSession): number {
  // Help and version were asked for and printed.
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.success;
  if (session.signal.aborted && !(error instanceof HoldfastError && error.kind === 'damaged')) {
    session.output.failure(session.signal.reason);
    return ExitCode.interrupted;
  }
  session.output.failure(error);
  return exitCodeOf(error);
}

/** `holdfast list | head`: nobody reads on. Node.js ignores SIGPIPE, so this ends as that signal would. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitCode.readerGone);
    throw error;
  });
}

/** What no promise caught ends the process too, but with a line for people instead of a stack trace. */
function reportUncaught(session: CommandSession): void {
  process.on('uncaughtException', (error) => {
    const isInterruption = session.signal.aborted && error.name === 'AbortError';
    session.output.failure(isInterruption ? session.signal.reason : error);
    process.exit(isInterruption ? ExitCode.interrupted : (session.failureExitCode ?? ExitCode.failure));
  });
}
