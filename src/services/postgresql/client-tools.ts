import { execFile } from 'node:child_process';
import { access, constants, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';

const TOOLS = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql'] as const;
export type ToolName = (typeof TOOLS)[number];

/** The client tools of one folder. */
export interface ClientTools {
  folder: string;
  /** As `pg_dump --version` says it: `15.18`. */
  version: string;
  major: number;
  program(tool: ToolName): string;
}

/** Where packages put the tools of each version, beside PATH: Debian, Red Hat, Homebrew. */
const PLACES = [
  { parent: '/usr/lib/postgresql', below: 'bin' },
  { parent: '/usr', below: 'bin', only: /^pgsql-/ },
  { parent: '/opt/homebrew/opt', below: 'bin', only: /^(postgresql|libpq)/ },
];

/**
 * The oldest tools that can do it: those of a server's own version write what it can read again. What the configuration
 * names comes first.
 *
 * @param atLeast the server's major version, or that of the tool which made an archive
 * @throws HoldfastError `postgresql-tool-missing`, `postgresql-tool-older` (unsupported)
 */
export async function findClientTools(atLeast: number, binaries?: string): Promise<ClientTools> {
  return oldestSufficient(await lookForClientTools(binaries), atLeast);
}

export interface FoundTools {
  found: readonly ClientTools[];
  /** Where they were looked for. */
  folders: readonly string[];
  binaries: string | undefined;
}

/** All client tools that are there, or those in one folder. It never throws, so that it can be done while a server is asked for its version. */
export async function lookForClientTools(binaries?: string): Promise<FoundTools> {
  const folders = binaries === undefined ? await usualFolders() : [binaries];
  const wrapped = binaries === undefined ? await wrappedFolders(folders) : new Set<string>();
  const direct = await toolsInEach(folders.filter((folder) => !wrapped.has(folder)));
  const found = direct.length > 0 ? direct : await toolsInEach([...wrapped]);
  return { found, folders, binaries };
}

/** @throws HoldfastError as `findClientTools` */
export function oldestSufficient({ found, folders, binaries }: FoundTools, atLeast: number): ClientTools {
  const [best] = found.filter(({ major }) => major >= atLeast).sort((a, b) => a.major - b.major);
  if (best !== undefined) return best;
  const newest = found.toSorted((a, b) => b.major - a.major)[0];
  const install = `Install them (apt-get install postgresql-client-${atLeast}), or name their folder by \`binaries\``;
  if (newest === undefined)
    throw new HoldfastError(
      'unsupported',
      'postgresql-tool-missing',
      `${TOOLS.join(', ')} were not found ${binaries === undefined ? 'on PATH or in /usr/lib/postgresql' : `in ${binaries}`}. ${install}.`,
      { details: { folders } },
    );
  throw new HoldfastError(
    'unsupported',
    'postgresql-tool-older',
    `PostgreSQL ${atLeast} needs client tools of version ${atLeast} or newer; the newest found are ${newest.version}, in ${newest.folder}. ${install}.`,
    { details: { found: newest.version, needed: atLeast } },
  );
}

async function usualFolders(): Promise<string[]> {
  const folders = (process.env.PATH ?? '').split(':').filter((folder) => path.isAbsolute(folder));
  for (const { parent, below, only } of PLACES) {
    const names = await readdir(parent).catch(() => []);
    for (const name of names) if (only === undefined || only.test(name)) folders.push(path.join(parent, name, below));
  }
  // /bin is /usr/bin on many systems.
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  return [...new Set(real)];
}

/** Folders with Debian's wrappers, which take a tenth of a second to start a program of another folder that is looked at as well. */
async function wrappedFolders(folders: readonly string[]): Promise<Set<string>> {
  const programs = await Promise.all(folders.map((folder) => realpath(path.join(folder, 'pg_dump')).catch(() => '')));
  return new Set(folders.filter((_, index) => path.basename(programs[index] ?? '') === 'pg_wrapper'));
}

async function toolsInEach(folders: readonly string[]): Promise<ClientTools[]> {
  return (await Promise.all(folders.map(toolsIn))).filter((tools) => tools !== undefined);
}

const run = promisify(execFile);

/** Wrappers count with the version that they choose. */
async function toolsIn(folder: string): Promise<ClientTools | undefined> {
  try {
    for (const tool of TOOLS) await access(path.join(folder, tool), constants.X_OK);
    const { stdout } = await run(path.join(folder, 'pg_dump'), ['--version'], { timeout: 60_000 });
    const version = /(\d+)(\.\d+)*/.exec(stdout)?.[0];
    if (version === undefined) return undefined;
    return { folder, version, major: Number.parseInt(version, 10), program: (tool) => path.join(folder, tool) };
  } catch {
    return undefined;
  }
}
