import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command, CommanderError } from 'commander';
import { wrongUsage } from './wrong-usage.ts';

describe('a wrong command line', () => {
  test('is told with the help of the very command', async () => {
    assert.deepEqual(await said('key', 'add', '--lable', 'x'), {
      code: 'usage-unknown-option',
      message: 'Unknown option \'--lable\' (Did you mean --label?). Run "holdfast key add --help" for what it takes.',
    });
    assert.match((await said('list', 'extra')).message, /Run "holdfast list --help" for what it takes\.$/);
  });

  test('names the command that was meant, after help as well', async () => {
    const expected = { code: 'usage-unknown-command' };
    for (const words of [['lst'], ['help', 'lst']]) {
      const { code, message } = await said(...words);
      assert.deepEqual({ code }, expected);
      assert.equal(message, 'Unknown command \'lst\' (Did you mean list?). Run "holdfast help" for the commands.');
    }
  });

  test('lists what a command of commands can do', async () => {
    assert.deepEqual(await said('key'), {
      code: 'usage-subcommand-missing',
      message: 'Say what to do: add, remove. Run "holdfast key --help" for what it takes.',
    });
    assert.match((await said('--json')).message, /^Say what to do\. Run "holdfast help"/);
  });

  test('tells how a path that begins with a dash is given', async () => {
    assert.match((await said('backup', '-photos')).message, /What begins with "-" and is no option goes after "--"\./);
    assert.doesNotMatch((await said('list', '-photos')).message, /goes after/);
  });
});

async function said(...words: string[]): Promise<{ code: string; message: string }> {
  const program = new Command('holdfast').option('--json').helpCommand('help [command]').exitOverride();
  program.command('list').action(() => undefined);
  program
    .command('backup')
    .argument('[path...]')
    .action(() => undefined);
  const key = program.command('key');
  key
    .command('add')
    .option('--label <text>')
    .action(() => undefined);
  key.command('remove').action(() => undefined);
  for (const each of [program, ...program.commands, ...key.commands])
    each.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    assert.ok(error instanceof CommanderError);
    const { code, message } = wrongUsage(error, program, words);
    return { code, message };
  }
  throw new Error('It was taken.');
}
