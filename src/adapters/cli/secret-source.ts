import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
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
    lines.question('', answered);
  }).finally(() => {
    lines.close();
    process.stderr.write('\n');
  }) as Promise<string>;
}
