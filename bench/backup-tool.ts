import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Command } from './measured-command.ts';

/** A backup program as the benchmark uses it: each method gives the command of one job on one repository. */
export interface BackupTool {
  readonly name: string;
  /** As the program says it. */
  readonly version: string;
  /** What is set besides the program's defaults. */
  readonly settings: string;
  /** Makes the encrypted repository; not measured. */
  initialise(place: ToolPlace): Command;
  backup(place: ToolPlace, source: string): Command;
  /** Restores the newest backup below `target`, an empty folder. */
  restore(place: ToolPlace, target: string): Command;
  /** Reads, decrypts and checks all data. */
  verify(place: ToolPlace): Command;
  /** The cheapest thing that opens the repository: what every other job pays before it begins. */
  list(place: ToolPlace): Command;
  /** Forgets every second backup, the first one among them, and leaves its data to `prune`. Absent where only the engine can. */
  forgetEverySecond?(place: ToolPlace): Command;
  /** Gives the space of forgotten backups back. */
  prune(place: ToolPlace): Command;
}

/** Folders of one tool in one round, all new. */
export interface ToolPlace {
  repository: string;
  cache: string;
}

const PASSWORD = 'correct horse battery staple';
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Holdfast and those of its peers that are on PATH. */
export function findTools(names: readonly string[] = ['holdfast', 'restic', 'borg']): BackupTool[] {
  const tools = { holdfast, restic, borg };
  return names.flatMap((name) => {
    if (!Object.hasOwn(tools, name)) throw new Error(`The benchmark knows no tool "${name}": ${Object.keys(tools)}.`);
    return tools[name as keyof typeof tools]() ?? [];
  });
}

function holdfast(): BackupTool | undefined {
  const main = join(packageRoot, 'bin', 'holdfast.js');
  if (!existsSync(main)) return undefined;
  // The launcher only looks for the pinned Node.js, on which this runs already: measured is what it starts, as it starts it.
  const environment = {
    MALLOC_ARENA_MAX: '2',
  };
  const command = (place: ToolPlace, ...words: string[]): Command => ({
    program: process.execPath,
    commandLine: ['--max-semi-space-size=4', main, '--data', place.repository, ...words],
    environment,
  });
  return {
    name: 'Holdfast',
    version: versionOf(process.execPath, [main, '--version']),
    settings: 'key file, aes-256-gcm, zstd level 3',
    // An empty folder: the first backup in a new data folder makes repository and key file.
    initialise: (place) => command(place, 'backup', place.cache, '--resource', 'empty'),
    backup: (place, source) => command(place, 'backup', source, '--resource', 'bench'),
    restore: (place, target) => command(place, 'restore', 'latest', '--resource', 'bench', '--target', target),
    verify: (place) => command(place, 'verify', '--level', '4'),
    list: (place) => command(place, 'list'),
    prune: (place) => command(place, 'prune'),
  };
}

function restic(): BackupTool | undefined {
  const version = versionOf('restic', ['version']);
  if (version === '') return undefined;
  const command = (place: ToolPlace, ...words: string[]): Command => ({
    program: 'restic',
    commandLine: words,
    environment: {
      RESTIC_REPOSITORY: place.repository,
      RESTIC_CACHE_DIR: place.cache,
      RESTIC_PASSWORD: PASSWORD,
    },
  });
  return {
    name: 'restic',
    version,
    settings: 'password, repository version 2 (zstd, "auto")',
    initialise: (place) => command(place, 'init', '--repository-version', '2'),
    backup: (place, source) => command(place, 'backup', source),
    restore: (place, target) => command(place, 'restore', 'latest', '--target', target),
    verify: (place) => command(place, 'check', '--read-data'),
    list: (place) => command(place, 'snapshots'),
    forgetEverySecond: (place) => {
      const ids = resticSnapshots(command(place, 'snapshots', '--json'));
      return command(place, 'forget', ...ids.filter((_id, index) => index % 2 === 0));
    },
    prune: (place) => command(place, 'prune'),
  };
}

/** Ids of a repository's snapshots, oldest first. */
function resticSnapshots({ program, commandLine, environment }: Command): string[] {
  const { stdout } = spawnSync(program, commandLine, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 28,
  });
  const listed = z.array(z.object({ id: z.string(), time: z.string() })).parse(JSON.parse(stdout));
  return listed.sort((a, b) => (a.time < b.time ? -1 : 1)).map(({ id }) => id);
}

function borg(): BackupTool | undefined {
  const version = versionOf('borg', ['--version']);
  if (version === '') return undefined;
  const command = (place: ToolPlace, ...words: string[]): Command => ({
    program: 'borg',
    commandLine: words,
    environment: {
      BORG_REPO: place.repository,
      BORG_BASE_DIR: place.cache,
      BORG_PASSPHRASE: PASSWORD,
      BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    },
  });
  const archives = new Map<string, number>();
  return {
    name: 'borg',
    version,
    settings: 'passphrase, repokey (of its modes the fastest here), lz4',
    initialise: (place) => command(place, 'init', '--encryption', 'repokey'),
    backup: (place, source) => {
      const number = (archives.get(place.repository) ?? 0) + 1;
      archives.set(place.repository, number);
      return command(place, 'create', `::${number}`, source);
    },
    restore: (place, target) => {
      mkdirSync(target, { recursive: true });
      return { ...command(place, 'extract', `::${archives.get(place.repository)}`), folder: target };
    },
    verify: (place) => command(place, 'check', '--verify-data'),
    list: (place) => command(place, 'list'),
    forgetEverySecond: (place) => {
      const numbers = Array.from({ length: archives.get(place.repository) ?? 0 }, (_, index) => String(index + 1));
      return command(place, 'delete', '::', ...numbers.filter((_number, index) => index % 2 === 0));
    },
    prune: (place) => command(place, 'compact'),
  };
}

function versionOf(program: string, words: readonly string[]): string {
  const result = spawnSync(program, words, { encoding: 'utf8' });
  return result.status === 0 ? (result.stdout.trim().split('\n')[0] ?? '') : '';
}
