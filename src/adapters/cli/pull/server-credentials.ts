import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { systemErrorCode } from '../../../core/errors.ts';
import { usageError } from '../exit-codes.ts';
import { askHidden } from '../secret-source.ts';
import { netrcEntry } from './netrc.ts';

export interface CredentialOptions {
  user?: string;
  /** A reference: `env:NAME` or `file:/path`. */
  token?: string;
}

/**
 * The `Authorization` header for a server: of the token or the user that the options name, else of HOLDFAST_TOKEN, else of
 * `~/.netrc`. A user's password is HOLDFAST_PASSWORD, else in `~/.netrc`, else asked for on the terminal.
 *
 * @returns undefined where there is nothing of all that
 */
export async function authorizationFor(
  server: URL,
  { user, token }: CredentialOptions,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (user !== undefined && token !== undefined)
    throw usageError('credentials-ambiguous', 'Give --user or --token, not both.');
  if (token !== undefined) return bearer(await secretOf(token, environment));
  const { HOLDFAST_TOKEN: ownToken, HOLDFAST_PASSWORD: password } = environment;
  if (user === undefined && ownToken) return bearer(ownToken);
  if (user !== undefined && password) return basic(user, password);
  const entry = netrcEntry(await netrcText(environment), server.hostname, user);
  if (entry !== undefined) return basic(entry.login, entry.password);
  if (user === undefined) return undefined;
  if (!process.stdin.isTTY) {
    const message = `The password of ${user} is needed and there is no terminal to ask on. Set HOLDFAST_PASSWORD, or write it into ~/.netrc.`;
    throw usageError('password-missing', message);
  }
  return basic(user, await askHidden(`Password of ${user} at ${server.host}: `, signal));
}

async function secretOf(reference: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const [, kind, name = ''] = /^(env|file):(.+)$/.exec(reference) ?? [];
  if (kind === undefined)
    throw usageError(
      'token-on-command-line',
      'Others can read arguments: write --token env:NAME or --token file:/path.',
    );
  const secret = kind === 'env' ? environment[name] : await textOf(path.resolve(name));
  if (secret === undefined || secret.trim() === '') {
    const where = kind === 'env' ? `The environment variable ${name}` : `The file ${name}`;
    throw usageError('token-missing', `${where}, which --token names, is not there or empty.`);
  }
  return secret.trim();
}

async function netrcText({ NETRC: file }: NodeJS.ProcessEnv): Promise<string> {
  return (await textOf(file || path.join(homedir(), '.netrc'))) ?? '';
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw usageError('file-unreadable', `${file} cannot be read (${systemErrorCode(error)}).`);
  }
}

function bearer(token: string): string {
  return `Bearer ${headerText(token)}`;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${headerText(user)}:${password}`).toString('base64')}`;
}

function headerText(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text) || !/[\p{Cc}]/u.test(text)) return text;
  throw usageError('credentials-invalid', 'A user or token with control characters cannot be sent.');
}
