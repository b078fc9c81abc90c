import { execFile } from 'node:child_process';
import { access, constants, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';
import { plainEnvironment } from '../../process/child-process.ts';
import { compareVersions, named, programVersion, type ServerVersion, takesAllOf } from './server-version.ts';

/** The programs of one installed server, absolute. */
export interface ServerPrograms extends ServerVersion {
  server: string;
  client: string;
  /** Makes the data folder of a server of MariaDB; those of MySQL do that themselves. */
  installer?: string;
}

/** Where packages put servers, beside what PATH says: mostly where an ordinary user's PATH does not lead. */
const USUAL_PLACES = [
  ...['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/usr/libexec'],
  ...['/usr/local/mysql/bin', '/usr/local/mariadb/bin', '/opt/homebrew/bin'],
];
const SERVERS = ['mariadbd', 'mysqld'];
const PACKAGES = { MariaDB: 'mariadb-server', MySQL: 'mysql-server' };

const run = promisify(execFile);

/**
 * The server that takes most nearly what the dumped one took: of the same product, and the oldest one that is new enough. Where there is none, another one.
 *
 * @param dumped undefined: nobody knows
 * @param places folders to look into
 * @throws HoldfastError `mysql-server-missing` (unsupported) with what to install
 */
export async function findServerPrograms(
  dumped: ServerVersion | undefined,
  places: readonly string[] = usualPlaces(),
): Promise<ServerPrograms> {
  const candidates = new Set<string>();
  for (const place of places)
    for (const name of SERVERS) {
      const program = await executable(place, name);
      // Behind links: packages of MariaDB have both names.
      if (program !== undefined) candidates.add(await realpath(program));
    }
  const found: ServerPrograms[] = [];
  for (const server of candidates) {
    const programs = await programsOf(server, places);
    if (programs !== undefined) found.push(programs);
  }
  const [best] = found.sort((one, other) => rank(one, dumped) - rank(other, dumped) || byAge(one, other, dumped));
  if (best !== undefined) return best;
  throw new HoldfastError(
    'unsupported',
    'mysql-server-missing',
    `A private server of ${dumped === undefined ? 'MariaDB or MySQL' : named(dumped)} is needed on this machine with its client, and none was found. Install it (apt-get install ${packageOf(dumped)}); it need not run.`,
    { details: { ...(dumped === undefined ? {} : { needed: named(dumped) }) } },
  );
}

/** What to install for dumps of such a server. */
export function packageOf(dumped: ServerVersion | undefined): string {
  return PACKAGES[dumped?.product ?? 'MariaDB'];
}

function rank(server: ServerVersion, dumped: ServerVersion | undefined): number {
  if (dumped === undefined || takesAllOf(server, dumped)) return 0;
  return server.product === dumped.product ? 1 : 2;
}

/** The oldest of those that are new enough, the newest of others. */
function byAge(one: ServerVersion, other: ServerVersion, dumped: ServerVersion | undefined): number {
  const age = compareVersions(one.version, other.version);
  return dumped !== undefined && takesAllOf(one, dumped) ? age : -age;
}

async function programsOf(server: string, places: readonly string[]): Promise<ServerPrograms | undefined> {
  const said = await run(server, ['--no-defaults', '--version'], { timeout: 60_000, env: plainEnvironment() }).catch(
    () => undefined,
  );
  const version = programVersion(said?.stdout ?? '');
  if (version === undefined) return undefined;
  const isMariadb = version.product === 'MariaDB';
  // Those of the same installation before others.
  const near = [path.dirname(server), path.join(path.dirname(server), '..', 'bin'), ...places];
  const client = await first(near, isMariadb ? ['mariadb', 'mysql'] : ['mysql', 'mariadb']);
  if (client === undefined) return undefined;
  if (!isMariadb) return { ...version, server, client };
  const scripts = path.join(path.dirname(server), '..', 'scripts');
  const installer = await first([...near, scripts], ['mariadb-install-db', 'mysql_install_db']);
  return installer === undefined ? undefined : { ...version, server, client, installer };
}

async function first(places: readonly string[], names: readonly string[]): Promise<string | undefined> {
  for (const name of names)
    for (const place of places) {
      const program = await executable(place, name);
      if (program !== undefined) return program;
    }
  return undefined;
}

async function executable(place: string, name: string): Promise<string | undefined> {
  const program = path.join(place, name);
  try {
    await access(program, constants.X_OK);
    return program;
  } catch {
    return undefined;
  }
}

function usualPlaces(): string[] {
  const own = (process.env.PATH ?? '').split(':').filter((folder) => path.isAbsolute(folder));
  return [...new Set([...own, ...USUAL_PLACES])];
}
