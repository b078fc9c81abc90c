import { readdirSync, readFileSync, statSync } from 'node:fs';

/**
 * Ids of other processes that have one of some files open, as far as the system tells (Linux; of other users' processes only to
 * root). Locks do not tell: with a rollback journal, a connection between two transactions has none, and would go on writing
 * into a file that has no name any more.
 */
export function openedElsewhere(files: readonly string[]): number[] {
  const wanted = new Set(files.flatMap((file) => identityOf(file) ?? []));
  if (wanted.size === 0) return [];
  return entriesOf('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      entriesOf(`/proc/${pid}/fd`).some((descriptor) => {
        const identity = identityOf(`/proc/${pid}/fd/${descriptor}`);
        return identity !== undefined && wanted.has(identity);
      }),
    )
    .map(Number);
}

/** Whether a process is one by which Holdfast opens databases: `DatabaseProcess`, of this service or of another on this machine. */
export function isDatabaseProcess(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.some((word) => DATABASE_WORKER.test(word));
  } catch {
    // Gone meanwhile.
    return false;
  }
}

/** From the sources, or from the bundle, where all files lie in one folder. */
const DATABASE_WORKER = /\/services[/-]sqlite[/-]database-worker\.(ts|mjs)$/;

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    // Gone meanwhile, or not ours to see: both are answers.
    return undefined;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
