import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../core/errors.ts';
import { SECRET_REFERENCE } from '../core/secret-reference.ts';

/**
 * Reads what a reference names: `env:NAME` an environment variable, `file:/path` a file (without the line break at its end).
 * Who else may read that file is not looked at: mounted secrets often belong to a group or another user.
 *
 * @throws HoldfastError `secret-missing` (invalid) naming the variable or file, never a value
 */
export async function resolveSecret(reference: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const [, kind, name] = SECRET_REFERENCE.exec(reference) ?? [];
  if (kind === 'env' && name !== undefined) {
    const value = environment[name];
    if (value === undefined || value === '')
      throw new HoldfastError(
        'invalid',
        'secret-missing',
        `The environment variable ${name}, which the configuration refers to, is not set.`,
      );
    return value;
  }
  if (kind === 'file' && name !== undefined) {
    try {
      return (await readFile(name, 'utf8')).replace(/\r?\n$/, '');
    } catch (cause) {
      throw new HoldfastError(
        'invalid',
        'secret-missing',
        `The file ${name}, which the configuration refers to for a secret, cannot be read.`,
        { cause },
      );
    }
  }
  throw new HoldfastError(
    'invalid',
    'secret-in-configuration',
    'A secret must not stand in the configuration itself. Write `env:NAME` or `file:/path` there.',
  );
}
