import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom a private server runs as where this process is root: servers of databases refuse that.
 * @param names of accounts, the best first
 * @returns undefined: this process's own account will do
 */
export async function serverAccount(names: readonly string[]): Promise<ServerAccount | 'missing' | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  for (const name of names) {
    const uid = await idOf('-u', name);
    const gid = await idOf('-g', name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  return 'missing';
}

/** Makes a folder that only that account, and root, may enter. @param account undefined: this process's own */
export async function makeFolderOf(account: ServerAccount | undefined, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  if (account !== undefined) await chown(folder, account.uid, account.gid);
}

/** Writes a file that only that account, and root, may read. @param account undefined: this process's own */
export async function writeFileOf(account: ServerAccount | undefined, file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  if (account !== undefined) await chown(file, account.uid, account.gid);
}

async function idOf(option: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('id', [option, name]);
    return Number.parseInt(stdout, 10);
  } catch {
    return undefined;
  }
}
