import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { addAbortSignal, Writable } from 'node:stream';
import type { Command } from 'commander';
import type { KeyConfiguration } from '../../core/configuration.ts';
import { usageError } from './exit-codes.ts';

/** The options that name a key; none of them carries a secret, because other users can read arguments. */
export interface KeyOptions {
  keyFile?: string;
  passphraseFile?: string;
  passphraseEnv?: string;
}

export function addKeyOptions(command: Command): Command {
  return command
    .option('--key-file <file>', 'a key file')
    .option('--passphrase-file <file>', 'a file whose first line is the passphrase')
    .option('--passphrase-env <name>', 'the environment variable that holds the passphrase');
}

/**
 * The key that the options name; with none of them, a passphrase asked for on the terminal.
 *
 * @param prompt what to ask; `twice` for a new passphrase
 * @returns the key and what makes the process forget an entered passphrase
 */
export async function keyFrom(
  options: KeyOptions,
  prompt: { question: string; twice: boolean; signal: AbortSignal },
): Promise<{ key: KeyConfiguration; forget: () => void }> {
  const given = namedKey(options);
  if (given !== undefined) return { key: given, forget: () => undefined };
  process.env[ENTERED] = await enteredPassphrase(prompt);
  return {
    key: { kind: 'passphrase', passphrase: `env:${ENTERED}` },
    forget: () => {
      delete process.env[ENTERED];
    },
  };
}

/** The key that the options name, or undefined. */
export function namedKey(options: KeyOptions): KeyConfiguration | undefined {
  const { keyFile, passphraseFile, passphraseEnv } = options;
  const given = [keyFile, passphraseFile, passphraseEnv].filter((value) => value !== undefined);
  if (given.length > 1) throw usageError('key-ambiguous', 'Name one key: a key file or one passphrase, not several.');
  if (keyFile !== undefined) return { kind: 'keyfile', path: resolve(keyFile) };
  if (passphraseEnv !== undefined) {
    if (process.env[passphraseEnv]) return { kind: 'passphrase', passphrase: `env:${passphraseEnv}` };
    throw usageError('passphrase-missing', `The environment variable ${passphraseEnv} is not set or empty.`);
  }
  if (passphraseFile === undefined) return undefined;
  const path = resolve(passphraseFile);
  if (existsSync(path)) return { kind: 'passphrase', passphrase: `file:${path}` };
  throw usageError('passphrase-missing', `There is no passphrase file ${path}.`);
}

/**
 * A new password: from what `reference` names, from the first line of standard input, or asked for twice on the terminal.
 *
 * @param reference `env:NAME` or `file:/path`, from an option; a password itself would be read by other users among the arguments
 * @param resolve reads what a reference names
 */
export async function newPassword(
  reference: string | undefined,
  resolve: (reference: string) => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  if (reference !== undefined) {
    if (/^(env|file):./.test(reference)) return resolve(reference);
    throw usageError(
      'password-in-arguments',
      'Other users can read arguments, so no password is taken from there. Write --password-from env:NAME or --password-from file:/path, or enter it when asked. Whatever was written here should be used for nothing now.',
    );
  }
  if (!process.stdin.isTTY) return firstLineOfInput(signal);
  const password = await askHidden('New password: ', signal);
  if (password === '') throw usageError('password-empty', 'The password is empty. Nothing was changed.');
  if (password === (await askHidden('Once more: ', signal))) return password;
  throw usageError('password-differs', 'The two passwords differ. Nothing was changed.');
}

const LONGEST_LINE = 4096;

async function firstLineOfInput(signal: AbortSignal): Promise<string> {
  let text = '';
  for await (const piece of addAbortSignal(signal, process.stdin.setEncoding('utf8'))) {
    text += piece;
    if (text.includes('\n') || text.length > LONGEST_LINE) break;
  }
  const [line = ''] = text.split(/\r?\n/, 1);
  if (line !== '') return line;
  throw usageError(
    'password-missing',
    'A password is needed: on the first line of standard input, by --password-from, or entered on a terminal.',
  );
}

const ENTERED = 'HOLDFAST_ENTERED_PASSPHRASE';

async function enteredPassphrase(prompt: { question: string; twice: boolean; signal: AbortSignal }): Promise<string> {
  if (!process.stdin.isTTY) {
    throw usageError(
      'passphrase-missing',
      'A passphrase is needed and there is no terminal to ask on. Give --passphrase-file, --passphrase-env or --key-file.',
    );
  }
  const passphrase = await askHidden(`${prompt.question}: `, prompt.signal);
  if (passphrase === '') throw usageError('passphrase-empty', 'The passphrase is empty. Nothing was changed.');
  if (prompt.twice && passphrase !== (await askHidden('Once more: ', prompt.signal))) {
    throw usageError('passphrase-differs', 'The two passphrases differ. Nothing was changed.');
  }
  return passphrase;
}

/** Asks on the terminal without showing what is typed: readline edits the line, but its output goes nowhere. */
export function askHidden(question: string, signal: AbortSignal): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((answered, failed) => {
    const stop = () => failed(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    // In raw mode Ctrl-C is a key like any other, and readline tells of it.
    lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    // Where the input ends (Ctrl-D), nobody answers any more.
    lines.once('close', () => answered(''));
    lines.question('', answered);
  }).finally(() => {
    lines.close();
    process.stderr.write('\n');
  }) as Promise<string>;
}
