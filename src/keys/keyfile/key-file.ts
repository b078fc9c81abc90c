import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';

const COMMENT =
  '# Holdfast key file. Whoever has it can read the backups; without it (or another key slot) nothing restores.';
const PREFIX = 'holdfast-key-1';

/**
 * Makes a key file: a comment and one line `holdfast-key-1:<32 random bytes, base64url>:<first 8 hex digits of their SHA-256>`.
 * Only its owner can read it; it is durable when this resolves.
 *
 * @throws HoldfastError `key-file-exists` (conflict)
 */
export async function createKeyFile(file: string): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secret = randomBytes(32);
  const handle = await open(file, 'wx', 0o600).catch((cause: unknown) => {
    if (systemErrorCode(cause) === 'EEXIST')
      throw new HoldfastError(
        'conflict',
        'key-file-exists',
        `There is a key file at ${file} already; it was left as it is.`,
        { cause },
      );
    throw cause;
  });
  try {
    await handle.writeFile(`${COMMENT}\n${PREFIX}:${secret.toString('base64url')}:${checksumOf(secret)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const handleOfFolder = await open(folder, 'r');
  try {
    await handleOfFolder.sync();
  } finally {
    await handleOfFolder.close();
  }
}

/** @returns the file's 32 secret bytes. @throws HoldfastError `key-file-missing` (wrong-key), `key-file-invalid` (wrong-key) */
export async function readKeyFile(file: string): Promise<Buffer> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') {
      throw new HoldfastError(
        'wrong-key',
        'key-file-missing',
        `There is no key file at ${file}. Put a copy of it there, name another one with --key-file or HOLDFAST_KEY_FILE, or use a passphrase that the repository knows.`,
        { cause },
      );
    }
    throw new HoldfastError(
      'wrong-key',
      'key-file-unreadable',
      `The key file ${file} cannot be read. Check its owner and permissions.`,
      { cause },
    );
  }
  const line = text.split(/\r?\n/).find((each) => each.startsWith(`${PREFIX}:`));
  const [, encoded, checksum] = line?.trim().split(':') ?? [];
  const secret = Buffer.from(encoded ?? '', 'base64url');
  if (secret.length !== 32 || checksum !== checksumOf(secret)) {
    throw new HoldfastError(
      'wrong-key',
      'key-file-invalid',
      `${file} is no Holdfast key file, or was altered: it needs a line that begins with ${PREFIX}: and is whole. Use an unaltered copy.`,
    );
  }
  return secret;
}

function checksumOf(secret: Buffer): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 8);
}
