import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type DecodedStream, type DecodeOptions, decode } from '../src/services/external/decoding/decode.ts';
import { skipWithout } from './installed-programs.ts';

export const SKIP_REASON = skipWithout({
  gpg: 'gnupg',
  age: 'age',
  openssl: 'openssl',
  zstd: 'zstd',
  xz: 'xz-utils',
  bzip2: 'bzip2',
});

export const PASSPHRASE = 'correct horse battery st4ple';

/** What a program writes when it is given `input`. */
export async function outputOf(
  program: string,
  args: readonly string[],
  input: Uint8Array,
  env = process.env,
): Promise<Buffer> {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
  child.stdin.end(input);
  const pieces: Buffer[] = [];
  for await (const piece of child.stdout) pieces.push(piece as Buffer);
  const code = await new Promise((resolve) =>
    child.exitCode === null ? child.once('exit', resolve) : resolve(child.exitCode),
  );
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${Buffer.concat(said)}`);
  return Buffer.concat(pieces);
}

/** Makes backups as other tools do, and takes them apart. Its folder is where nothing may be left. */
export class DecodingRig {
  readonly folder: string;
  readonly #gnupg: string;
  readonly warnings: string[] = [];

  private constructor(folder: string, gnupg: string) {
    this.folder = folder;
    this.#gnupg = gnupg;
  }

  static async make(): Promise<DecodingRig> {
    const make = () => mkdtemp(path.join(tmpdir(), 'holdfast-decoding-'));
    return new DecodingRig(await make(), await make());
  }

  async remove(): Promise<void> {
    await outputOf('gpgconf', ['--homedir', this.#gnupg, '--kill', 'all'], Buffer.alloc(0));
    for (const folder of [this.folder, this.#gnupg]) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  gpg(input: Uint8Array, ...args: string[]): Promise<Buffer> {
    const all = [
      '--batch',
      '--quiet',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      PASSPHRASE,
      '--trust-model',
      'always',
    ];
    return outputOf('gpg', [...all, ...args], input, { ...process.env, GNUPGHOME: this.#gnupg });
  }

  /** By a passphrase, which costs little to try. */
  gpgSymmetric(input: Uint8Array, ...args: string[]): Promise<Buffer> {
    return this.gpg(input, '--s2k-count', '65536', ...args, '--symmetric');
  }

  decode(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    options: Partial<DecodeOptions> = {},
    signal = new AbortController().signal,
  ): Promise<DecodedStream> {
    return decode(
      source instanceof Uint8Array ? inPieces(source) : source,
      {
        encryption: 'auto',
        passphrase: async () => PASSPHRASE,
        temporaryFolder: this.folder,
        warn: (message) => this.warnings.push(message),
        ...options,
      },
      signal,
    );
  }

  async decoded(source: Uint8Array, options: Partial<DecodeOptions> = {}): Promise<Buffer> {
    return contentOf(await this.decode(source, options));
  }

  /** Folders and processes that are there and should not be. */
  async leftovers(): Promise<string[]> {
    return [
      ...(await readdir(this.folder)),
      ...processes()
        .filter(({ parent, text }) => parent === process.pid || text.includes(this.folder))
        .map(({ text }) => text),
    ];
  }
}

export async function contentOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function* inPieces(bytes: Uint8Array, length = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** The running processes of this machine with their command lines; those that have ended and wait to be noticed are left out. */
export function processes(): { id: number; parent: number; text: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const text = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      return state === 'Z' ? [] : [{ id: Number(name), parent: Number(parent), text }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
