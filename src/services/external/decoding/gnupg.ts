import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HoldfastError } from '../../../core/errors.ts';
import { type ChildEnd, plainEnvironment, startChild } from '../../../process/child-process.ts';
import { damaged, secretOnOneLine, toolKilled, toolMissing, wrongKey } from './decoding-faults.ts';
import { makeGnupgHome, removeGnupgHome } from './gnupg-home.ts';
import { throughProcess } from './process-stage.ts';

export interface GnupgKeys {
  passphrase?: string;
  /** An armored secret key. */
  privateKey?: string;
  /** Where its home is made. Default: in memory, where the system has a folder for that, so that no key lies on a disk. */
  folder?: string | undefined;
}

/** No question is ever asked; signatures are another matter than whether the bytes are whole. */
const DECRYPT = [
  ...['--batch', '--no-tty', '--quiet', '--no-options', '--pinentry-mode', 'loopback', '--passphrase-fd', '3'],
  ...['--status-fd', '4', '--skip-verify'],
];

/**
 * Decrypts an OpenPGP message by GnuPG, in a home of its own. GnuPG writes plain bytes before it knows whether they are genuine:
 * only the end without an error says so.
 *
 * @throws HoldfastError `external-key-wrong` (wrong-key), `external-backup-damaged` (damaged), `external-tool-missing` (unsupported)
 */
export async function* decryptGnupg(
  source: AsyncIterable<Uint8Array>,
  { passphrase = '', privateKey, folder }: GnupgKeys,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  secretOnOneLine(passphrase);
  const home = await makeGnupgHome(folder);
  const environment = { ...plainEnvironment(), GNUPGHOME: home };
  const cleanUp = () => removeGnupgHome(home, environment);
  const start = (args: readonly string[], secret: string, until: AbortSignal) =>
    startChild('gpg', args, {
      ...{ environment, signal: until, secret, reports: true },
      notStarted: (cause) => toolMissing('gpg', 'gnupg', cause),
    });
  let child: ReturnType<typeof startChild>;
  try {
    if (privateKey !== undefined) {
      await writeFile(path.join(home, 'gpg-agent.conf'), AGENT_SETTINGS);
      const importing = start([...DECRYPT, '--import'], passphrase, signal);
      importing.stdin.end(privateKey);
      importing.stdout.resume();
      const end = await importing.ended;
      signal.throwIfAborted();
      if (end.exitCode !== 0 || !end.reports.includes('IMPORT_OK')) throw unusableKey(end);
    }
    // A passphrase alone needs no agent.
    const agent = privateKey === undefined ? ['--no-autostart'] : [];
    child = start([...DECRYPT, ...agent, '--decrypt'], passphrase, signal);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  yield* throughProcess(source, { child, signal, cleanUp, judge: (end) => judge(end, privateKey !== undefined) });
}

/** The agent locks each key anew with its passphrase; to make that as slow as can be is of no use for the moment that it lives. */
const AGENT_SETTINGS = 's2k-count 65536\n';

/** What GnuPG reports is described in its doc/DETAILS. */
function judge(end: ChildEnd, hasPrivateKey: boolean): HoldfastError | undefined {
  const reported = (word: string) => new RegExp(`^\\[GNUPG:\\] ${word}\\b`, 'm').test(end.reports);
  if (end.exitCode === 0 && reported('DECRYPTION_OKAY')) return undefined;
  if (end.signal !== null) return toolKilled('gpg', end);
  if (reported('PLAINTEXT') || reported('BADMDC')) return damaged('gpg', end);
  if (!reported('BEGIN_DECRYPTION')) return damaged('gpg', end);
  if (reported('NEED_PASSPHRASE_SYM')) return wrongKey(WRONG_PASSPHRASE, end);
  if (reported('KEY_CONSIDERED')) return wrongKey(LOCKED_KEY, end);
  return wrongKey(hasPrivateKey ? OTHER_KEY : NO_KEY, end);
}

const WRONG_PASSPHRASE = 'Its passphrase is another one than the configured one, or its beginning is damaged.';
const LOCKED_KEY = 'The configured passphrase does not open the configured private key, or the beginning is damaged.';
const OTHER_KEY = 'It is encrypted for another key than the configured one.';
const NO_KEY = 'It is encrypted for a key, and no private key is configured.';

function unusableKey(end: ChildEnd): HoldfastError {
  return wrongKey('The configured private key is not one that GnuPG can import: it wants an armored secret key.', end);
}
