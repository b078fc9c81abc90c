import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A completion script for the whole tree of commands; it needs nothing of Holdfast while it completes. */
export function completionScript(shell: Shell, program: Command): string {
  const nodes = commandNodes(program, []);
  if (shell === 'bash') return bashScript(nodes);
  return shell === 'zsh' ? zshScript(nodes) : fishScript(nodes);
}

/** A command with the words that lead to it: `['key', 'add']`. */
interface CommandNode {
  words: readonly string[];
  children: readonly Command[];
  options: readonly Option[];
  /** What its first argument may be, where that is a choice. */
  choices: readonly string[];
}

function commandNodes(command: Command, words: readonly string[]): CommandNode[] {
  const global = words.length === 0 ? [] : rootOf(command).options;
  const node = {
    words,
    children: command.commands,
    options: [...command.options, ...global].filter((option) => !option.hidden),
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
  return [node, ...command.commands.flatMap((child) => commandNodes(child, [...words, child.name()]))];
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function bashScript(nodes: readonly CommandNode[]): string {
  const cases = nodes.map((node) => {
    const words = [...node.children.map((child) => child.name()), ...node.choices, ...node.options.map(longName)];
    return `    '${node.words.join(' ')}') words='${words.join(' ')}' ;;`;
  });
  const choices = optionsWithChoices(nodes).map(
    ([name, values]) => `    ${name}) COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$current")); return ;;`,
  );
  return `# bash completion for holdfast
_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' word
  case $previous in
${choices.join('\n')}
    ${valueOptions(nodes).join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${pathPatterns(nodes)}) path="\${path:+$path }$word" ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ $current == -* ]] || COMPREPLY+=($(compgen -f -- "$current"))
}
complete -o filenames -F _holdfast holdfast
`;
}

function zshScript(nodes: readonly CommandNode[]): string {
  const cases = nodes.map((node) => {
    const children = node.children.map((child) => described(child.name(), child.summary() || child.description()));
    const choices = node.choices.map((choice) => described(choice, ''));
    const options = node.options.map((option) => described(longName(option), option.description));
    return `    '${node.words.join(' ')}')
      commands=(${[...children, ...choices].join(' ')})
      options=(${options.join(' ')}) ;;`;
  });
  return `#compdef holdfast
_holdfast() {
  local path='' word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path $word" in
      ${pathPatterns(nodes)}) path="\${path:+$path }$word" ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  (( $#commands )) && _describe 'command' commands
  if [[ $PREFIX == -* ]]; then _describe 'option' options; else _files; fi
}
_holdfast "$@"
`;
}

function fishScript(nodes: readonly CommandNode[]): string {
  const lines = ['# fish completion for holdfast'];
  for (const node of nodes) {
    const condition = fishCondition(node);
    for (const child of node.children) {
      const text = fishQuoted(child.summary() || child.description());
      lines.push(`complete -c holdfast -n ${condition} -f -a ${child.name()} -d ${text}`);
    }
    if (node.choices.length > 0) lines.push(`complete -c holdfast -n ${condition} -f -a '${node.choices.join(' ')}'`);
    for (const option of node.options) {
      const values = option.argChoices ? ` -x -a '${option.argChoices.join(' ')}'` : option.required ? ' -r' : '';
      const name = longName(option).slice(2);
      lines.push(`complete -c holdfast -n ${condition} -l ${name}${values} -d ${fishQuoted(option.description)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function fishCondition(node: CommandNode): string {
  if (node.words.length === 0) return '__fish_use_subcommand';
  const seen = node.words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const names = node.children.map((child) => child.name()).join(' ');
  if (names !== '') seen.push(`not __fish_seen_subcommand_from ${names}`);
  return `'${seen.join('; and ')}'`;
}

/** Shell patterns of "path word" for every step from a command to one below it. */
function pathPatterns(nodes: readonly CommandNode[]): string {
  return nodes
    .filter((node) => node.words.length > 0)
    .map((node) => `'${node.words.slice(0, -1).join(' ')} ${node.words.at(-1)}'`)
    .join('|');
}

function optionsWithChoices(nodes: readonly CommandNode[]): [string, readonly string[]][] {
  const found = new Map<string, readonly string[]>();
  for (const { options } of nodes) {
    for (const option of options) {
      if (option.argChoices === undefined) continue;
      found.set(longName(option), [...new Set([...(found.get(longName(option)) ?? []), ...option.argChoices])]);
    }
  }
  return [...found];
}

function valueOptions(nodes: readonly CommandNode[]): string[] {
  return [...new Set(nodes.flatMap(({ options }) => options.filter((option) => option.required).map(longName)))];
}

function longName(option: Option): string {
  return option.long ?? option.flags;
}

function described(word: string, text: string): string {
  return `'${word.replaceAll(':', '\\:')}:${text.replaceAll("'", "'\\''").replaceAll(':', '\\:')}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
