import { Argument, type Command } from 'commander';
import type { CommandSession } from '../command-session.ts';
import { completionScript, SHELLS, type Shell } from '../completion-script.ts';

export function define(command: Command, session: CommandSession): void {
  command
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', INSTALLATION)
    .action((shell: Shell, _options: unknown, self: Command) => {
      const script = completionScript(shell, self.parent ?? self);
      session.output.result({ shell, script }, () => [script.trimEnd()]);
    });
}

const INSTALLATION = `
To install:
  bash  holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast
  zsh   holdfast completion zsh > "\${fpath[1]}/_holdfast"
  fish  holdfast completion fish > ~/.config/fish/completions/holdfast.fish`;
