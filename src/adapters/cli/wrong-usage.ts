import type { Command, CommanderError } from 'commander';
import type { HoldfastError } from '../../core/errors.ts';
import { nearestName } from '../../core/nearest-name.ts';
import { usageError } from './exit-codes.ts';

/**
 * What commander says of a wrong command line, as one line that ends with what to type for help.
 *
 * @param words what `program` was given
 * @returns an error whose code begins with `usage-`
 */
export function wrongUsage(error: CommanderError, program: Command, words: readonly string[]): HoldfastError {
  const command = commandNamed(program, words);
  const [first, second] = words.filter((word) => !word.startsWith('-'));
  if (error.code === SUBCOMMAND_MISSING && first === 'help' && second !== undefined && command === program)
    return unknownCommand(program, second);
  if (error.code === SUBCOMMAND_MISSING) return usageError('subcommand-missing', subcommands(command));
  const text = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  const said = `${text.charAt(0).toUpperCase()}${text.slice(1)}`.replace(/[.?]?$/, (end) => end || '.');
  return usageError(usageCode(error), `${said}${hint(error, command)} ${helpOf(command)}`);
}

/** Commander prints the help instead of an error; here standard error is for one line. */
const SUBCOMMAND_MISSING = 'commander.help';

/** The command that the words lead to, as far as they do: `key` for `key lst`. */
function commandNamed(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) command = command.commands.find((each) => each.name() === word) ?? command;
  return command;
}

function unknownCommand(program: Command, name: string): HoldfastError {
  const near = nearestName(
    name,
    program.commands.map((each) => each.name()),
  );
  const meant = near === undefined ? '' : ` (Did you mean ${near}?)`;
  return usageError('unknown-command', `Unknown command '${name}'${meant}. ${helpOf(program)}`);
}

function subcommands(command: Command): string {
  if (command.parent === null) return `Say what to do. ${helpOf(command)}`;
  const names = command.commands.map((each) => each.name()).join(', ');
  return `Say what to do: ${names}. ${helpOf(command)}`;
}

/** A path that begins with a dash is taken for an option. */
function hint(error: CommanderError, command: Command): string {
  const isOption = error.code === 'commander.unknownOption' && !error.message.includes('Did you mean');
  return isOption && command.registeredArguments.length > 0
    ? ' What begins with "-" and is no option goes after "--".'
    : '';
}

function helpOf(command: Command): string {
  if (command.parent === null) return 'Run "holdfast help" for the commands.';
  const names: string[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) names.unshift(each.name());
  return `Run "${names.join(' ')} --help" for what it takes.`;
}

/** `commander.missingArgument` → `missing-argument`. */
function usageCode(error: CommanderError): string {
  return error.code.replace(/^commander\./, '').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
