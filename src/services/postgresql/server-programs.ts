import { execFile } from 'node:child_process';
import { access, constants, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';

/** The programs of one installed PostgreSQL server. */
export interface ServerPrograms {
  folder: string;
  /** As `postgres --version` says it: `15.18`. */
  version: string;
  major: number;
  program(name: string): string;
}

/** What a private server cannot do without. */
const NEEDED = ['initdb', 'postgres'];

/** Where packages put the servers of each version: Debian, Red Hat, Homebrew, and images that have one version. */
const PLACES = [
  { parent: '/usr/lib/postgresql', below: 'bin' },
  { parent: '/usr', below: 'bin', only: /^pgsql-/ },
  { parent: '/opt/homebrew/opt', below: 'bin', only: /^postgresql/ },
];
const SINGLE_PLACES = ['/usr/local/bin', '/usr/bin', '/usr/local/pgsql/bin'];

const run = promisify(execFile);

/**
 * The oldest installed server that is new enough: it takes most nearly what the backed-up one took.
 *
 * @param atLeast major version; with `exactly`, no other will do (data folders are of one major version)
 * @param binaries a folder that is looked at first
 * @throws HoldfastError `postgresql-server-missing` (unsupported) with what to install
 */
export async function findServerPrograms(
  atLeast: number,
  options: { exactly?: boolean; binaries?: string | undefined } = {},
): Promise<ServerPrograms> {
  const { exactly = false, binaries } = options;
  const folders = [...new Set([...(binaries === undefined ? [] : [binaries]), ...(await usualFolders())])];
  const found = (await Promise.all(folders.map(programsIn))).filter((programs) => programs !== undefined);
  const [best] = found
    .filter(({ major }) => (exactly ? major === atLeast : major >= atLeast))
    .sort((a, b) => a.major - b.major);
  if (best !== undefined) return best;
  const there = found.length === 0 ? 'none was found' : `found were ${found.map(({ version }) => version).join(', ')}`;
  throw new HoldfastError(
    'unsupported',
    'postgresql-server-missing',
    `A private PostgreSQL server of version ${atLeast}${exactly ? '' : ' or newer'} is needed on this machine, and ${there}. Install it (apt-get install postgresql-${atLeast}); it need not run.`,
    { details: { needed: atLeast, found: found.map(({ version }) => version) } },
  );
}

async function usualFolders(): Promise<string[]> {
  const folders = (process.env.PATH ?? '').split(':').filter((folder) => path.isAbsolute(folder));
  for (const { parent, below, only } of PLACES) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names) if (only === undefined || only.test(name)) folders.push(path.join(parent, name, below));
  }
  return [...folders, ...SINGLE_PLACES];
}

/** Behind links, which may lead to some of the programs only. */
async function programsIn(place: string): Promise<ServerPrograms | undefined> {
  try {
    const folder = path.dirname(await realpath(path.join(place, 'postgres')));
    for (const name of NEEDED) await access(path.join(folder, name), constants.X_OK);
    const { stdout } = await run(path.join(folder, 'postgres'), ['--version'], { timeout: 60_000 });
    const version = /(\d+)(\.\d+)*/.exec(stdout)?.[0];
    if (version === undefined) return undefined;
    return { folder, version, major: Number.parseInt(version, 10), program: (name) => path.join(folder, name) };
  } catch {
    return undefined;
  }
}
