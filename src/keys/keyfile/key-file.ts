import { createHash, randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { syncFolder } from '../../process/sync-folder.ts';

const COMMENT =
  '# Holdfast key file. Whoever has it can read the backups; without it (or another key slot) nothing restores.';
const PREFIX = 'holdfast-key-1';

/**
 * Makes a key file: a comment and one line `holdfast-key-1:<32 random bytes, base64url>:<first 8 hex digits of their SHA-256>`.
 * Only its owner can read it; it is durable when this resolves. It appears whole or not at all: half of one, left by a killed
 * process, would stand in the way of every later start.
 *
 * @throws HoldfastError `key-file-exists` (conflict), `key-file-denied` (denied)
 */
export async function createKeyFile(file: string): Promise<void> {
  const folder = path.resolve(path.dirname(file));
  const secret = randomBytes(32);
  const text = `${COMMENT}\n${PREFIX}:${secret.toString('base64url')}:${checksumOf(secret)}\n`;
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`;
  try {
    const firstMade = makeFolders(folder, { mode: 0o700 });
    try {
      await writeNew(draft, text);
      await linkNew(draft, file, text);
    } finally {
      await rm(draft, { force: true });
    }
    await syncFolders(folder, firstMade);
  } catch (error) {
    throw creationFault(error, file);
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Gives the finished draft its name, which must be free. File systems without hard links (memory sticks) get it written there. */
async function linkNew(draft: string, file: string, text: string): Promise<void> {
  try {
    await link(draft, file);
  } catch (error) {
    if (!WITHOUT_LINKS.has(systemErrorCode(error) ?? '')) throw error;
    await writeNew(file, text);
  }
}

const WITHOUT_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** The folder, and each one above that was made for it, up to the first that was there before. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const last = firstMade === undefined ? folder : path.dirname(path.resolve(firstMade));
  for (let each = folder; ; each = path.dirname(each)) {
    await syncFolder(each);
    if (each === last || each === path.dirname(each)) return;
  }
}

function creationFault(cause: unknown, file: string): unknown {
  const code = systemErrorCode(cause);
  // From mkdir it means that a file stands where a folder should.
  const isFolder = cause instanceof Error && 'syscall' in cause && cause.syscall === 'mkdir';
  switch (code === 'EEXIST' && isFolder ? 'ENOTDIR' : code) {
    case 'EEXIST':
      return new HoldfastError(
        'conflict',
        'key-file-exists',
        `There is a key file at ${file} already; it was left as it is.`,
        { cause },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOENT':
    case 'ENOTDIR':
      return new HoldfastError(
        'denied',
        'key-file-denied',
        `The key file ${file} cannot be made there. Check the path, its owner and permissions, or name another place.`,
        { cause },
      );
    default:
      return cause;
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

/** A line for whoever had one made without asking for it. */
export function keyFileNotice(file: string): string {
  return `A new key file was made: ${file}. Copy it to another place now: without it nothing restores.\n`;
}
