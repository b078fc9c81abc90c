import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import type { Composition } from '../../core/composition.ts';
import { buildProgram } from './build-program.ts';
import { COMMANDS } from './command-list.ts';
import { CommandSession } from './command-session.ts';
import { completionScript, SHELLS } from './completion-script.ts';

/** Completion asks nothing of the composition but its version. */
const program = await buildProgram(new CommandSession({ version: '0.0.0' } as Composition), () => true);

function completedByBash(...words: string[]): string[] {
  const script = `${completionScript('bash', program)}
COMP_WORDS=(holdfast "$@"); COMP_CWORD=$#; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const result = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: '/' });
  assert.equal(result.stderr, '');
  return result.stdout.split('\n').filter((line) => line !== '');
}

test('bash completes every command, subcommands, options and choices', () => {
  assert.deepEqual(
    completedByBash('').filter((word) => COMMANDS.some(({ name }) => name === word)),
    COMMANDS.map(({ name }) => name),
  );
  assert.deepEqual(completedByBash('key', 'a'), ['add']);
  assert.deepEqual(completedByBash('--json', 'restore', '--conf'), ['--conflict', '--config']);
  assert.deepEqual(completedByBash('restore', '--conflict', 'o'), ['overwrite']);
  assert.deepEqual(completedByBash('completion', 'z'), ['zsh']);
});

test("scripts of all shells parse where the shell is installed, and name every command's options", (context) => {
  for (const shell of SHELLS) {
    const script = completionScript(shell, program);
    assert.match(script, shell === 'fish' ? /-l passphrase-file/ : /--passphrase-file/);
    const parsed = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    if (parsed.error) context.diagnostic(`${shell} is not installed`);
    else assert.equal(parsed.stderr, '', shell);
  }
});
