import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Configuration } from '../../core/configuration.ts';
import type { Finding } from './finding.ts';

/** Whether the programs of hooks can be run, before a backup finds out. */
export async function* hookFindings({ hooks = [] }: Configuration): AsyncIterable<Finding> {
  const check = 'hook';
  for (const { when, command } of hooks) {
    const [program] = command;
    if (await isExecutable(program)) yield { check, state: 'ok', message: `${when}: ${program} is there` };
    else {
      const advice = 'Correct `hooks` in the configuration, or make the file executable.';
      yield { check, state: 'fail', message: `${when}: ${program} is not there or not executable`, advice };
    }
  }
}

async function isExecutable(program: string): Promise<boolean> {
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter);
  for (const folder of folders) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
