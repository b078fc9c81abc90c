import { Command } from 'commander';
import { COMMANDS, type CommandSummary } from './command-list.ts';
import type { CommandSession, GlobalOptions } from './command-session.ts';

/**
 * Builds the tree of commands. Only commands that `isWanted` names are loaded; the others appear with their summary and are
 * never run.
 */
export async function buildProgram(
  session: CommandSession,
  isWanted: (command: CommandSummary) => boolean,
): Promise<Command> {
  const program = new Command('holdfast')
    .description('Self-hosted backups that prove they restore.')
    .version(session.composition.version, '--version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .option('--config <file>', 'configuration file (default: holdfast.yaml where there is one)')
    .option('--data <folder>', 'data folder; wins over the configuration')
    .option('--json', 'print JSON: one object at the end, progress as lines on stderr')
    .option('--quiet', 'print results, warnings and errors only')
    .option('--no-color', 'print without colors')
    .addHelpText('after', HELP_AFTER)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .hook('preAction', (_program, action) => {
      session.useOptions(action.optsWithGlobals<GlobalOptions>());
      session.interruption.listen();
    });
  for (const summary of COMMANDS) {
    const command = program.command(summary.name).description(sentenceCase(summary.summary)).summary(summary.summary);
    if (isWanted(summary)) (await summary.load()).define(command, session);
  }
  return program;
}

const HELP_AFTER = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 backup made but some files were not readable, or a download
was cut off, 4 damage found, 5 unknown to the server of pull or refused, 6 nothing there to pull, 7 masking policy does not fit,
10 no repository, 11 locked, 12 wrong key, 130 interrupted, 141 nobody reads the output any more.`;

function sentenceCase(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
