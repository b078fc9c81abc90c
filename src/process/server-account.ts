import { execFile } from 'node:child_process';
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

async function idOf(option: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('id', [option, name]);
    return Number.parseInt(stdout, 10);
  } catch {
    return undefined;
  }
}
