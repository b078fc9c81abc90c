import { execFileSync } from 'node:child_process';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ObjectSource } from '../src/core/ports/object-source.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { Resource } from '../src/core/resource.ts';
import { createExternalService } from '../src/services/external/external-service.ts';
import { sqlOfForeignArchive } from '../src/services/postgresql/foreign-archive.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';

/** The passphrase of the backups that tests make. */
export const PASSPHRASE = 'correct horse battery staple';

/** Secrets by reference, as a test sets them. */
export type Secrets = Record<string, string>;

/** The service as `main.ts` joins it. */
export function externalService(
  secrets: Secrets = { 'env:PASSPHRASE': PASSPHRASE },
  options: { openBucket?: () => Promise<ObjectSource>; now?: () => Date } = {},
): Service {
  return createExternalService({
    stream: createStreamService(),
    sqlOfArchive: sqlOfForeignArchive,
    resolveSecret: async (reference) => {
      const secret = secrets[reference];
      if (secret === undefined) throw new Error(`${reference} is not set`);
      return secret;
    },
    openBucket: async () => {
      if (options.openBucket === undefined) throw new Error('This test has no bucket.');
      return options.openBucket();
    },
    now: options.now ?? (() => new Date()),
  });
}

export function externalResource(configuration: Record<string, unknown>, id = 'shop'): Resource {
  const now = new Date().toISOString();
  return {
    ...{ id, type: 'external', service: 'external', configuration, repositoryId: 'default' },
    ...{ createdAt: now, updatedAt: now },
  };
}

/** A dump as pg_dump writes it, with something in it that tells it from others. */
export function plainDump(mark: string, rows = 10): Buffer {
  const lines = Array.from({ length: rows }, (_, row) => `${row}\t${mark} ${row}`);
  return Buffer.from(
    `--\n-- PostgreSQL database dump\n--\n\nCOPY public.items (id, name) FROM stdin;\n${lines.join('\n')}\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n`,
  );
}

/** Encrypts as the original tool does: `gpg --symmetric` with AES256, here of compressed bytes. */
export function gpgOf(content: Uint8Array, home: string, passphrase = PASSPHRASE): Buffer {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return execFileSync(
    'gpg',
    [
      ...['--homedir', home, '--batch', '--no-tty', '--pinentry-mode', 'loopback', '--passphrase-fd', '0'],
      ...['--s2k-count', '65536', '--cipher-algo', 'AES256', '--symmetric', '--output', '-', '--', '-'],
    ],
    {
      input: Buffer.concat([Buffer.from(`${passphrase}\n`), content]),
      maxBuffer: 1 << 30,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
}

/** Ends what `gpg` started for a home folder. */
export function endGpg(home: string): void {
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
}

/** Writes a file as a tool did that finished an hour ago. */
export function finishedFile(file: string, content: Uint8Array, secondsAgo = 3600): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  const then = Date.now() / 1000 - secondsAgo;
  utimesSync(file, then, then);
}
