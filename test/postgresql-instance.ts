import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { SERVER_ACCOUNT } from './server-account.ts';
import { endWithThisProcess } from './spawned-server.ts';

const run = promisify(execFile);
const PARENT = '/usr/lib/postgresql';
/** As it is before a rig points it to a folder that no other account may enter. */
const PLACE = tmpdir();
const PASSWORD = 'sup3r-secret-of-tests';

/** Folder of the newest server's programs, or undefined where none is installed. */
export const SERVER_PROGRAMS: string | undefined = (existsSync(PARENT) ? readdirSync(PARENT) : [])
  .sort((a, b) => Number(b) - Number(a))
  .map((version) => path.join(PARENT, version, 'bin'))
  .find((folder) => existsSync(path.join(folder, 'initdb')));

export interface InstancePlace {
  programs: string;
  /** Belongs to the server's account: the socket, the log and the file of the password lie there. */
  folder: string;
  data: string;
  port: number;
}

/**
 * A server in a data folder of its own, below a temporary folder, of any version; it runs as the account that servers run as. Its superuser
 * is `postgres` with a password. What tests of one kind need beside that is in the classes that extend it.
 */
export class PostgresqlInstance {
  readonly folder: string;
  readonly data: string;
  readonly port: number;
  readonly programs: string;
  readonly password = PASSWORD;
  /** The account that it runs as, where that is not this process's. */
  readonly account = SERVER_ACCOUNT;
  #unwatch: (() => void) | undefined;

  protected constructor({ programs, folder, data, port }: InstancePlace) {
    this.programs = programs;
    this.folder = folder;
    this.data = data;
    this.port = port;
  }

  /** A folder with a file of the password. @param data another data folder than one in there */
  protected static async place(programs: string | undefined, data?: string): Promise<InstancePlace> {
    const folder = await ownedFolder();
    const passwordFile = passwordFileIn(folder);
    await writeFile(passwordFile, PASSWORD);
    await give(passwordFile);
    return { programs: programs ?? '', folder, data: data ?? path.join(folder, 'data'), port: await freePort() };
  }

  /** Makes the cluster and starts it. @param settings lines of `postgresql.conf` */
  protected async initialise(initdb: readonly string[], settings: readonly string[]): Promise<void> {
    await this.asAccount('initdb', [
      ...['-D', this.data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'],
      ...[`--pwfile=${passwordFileIn(this.folder)}`, ...initdb],
    ]);
    const all = [...this.#ownSettings, 'fsync = off', 'shared_buffers = 32MB', ...settings];
    await appendFile(path.join(this.data, 'postgresql.conf'), `${all.join('\n')}\n`);
    await this.start();
  }

  /** Appends settings; later ones win. */
  async configure(settings: readonly string[]): Promise<void> {
    const file = path.join(this.data, 'postgresql.auto.conf');
    await appendFile(file, `${[...this.#ownSettings, ...settings].join('\n')}\n`);
  }

  async start(): Promise<void> {
    this.#unwatch ??= endWithThisProcess(this.data);
    // What a restored data folder says of these is the original's.
    const options = `-p ${this.port} -c unix_socket_directories=${this.folder} -c listen_addresses=127.0.0.1`;
    try {
      await this.asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', '-l', this.logFile, '-o', options, 'start']);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.log()}`);
    }
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    if (!existsSync(path.join(this.data, 'postmaster.pid'))) return;
    await this.asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', '-m', mode, 'stop']);
  }

  /** Ends it, however it runs, and removes its folder. */
  async remove(): Promise<void> {
    await this.stop('immediate').catch((error: Error) => {
      // It ended by itself, and left its lock.
      if (!/No such process|no server running/i.test(error.message)) throw error;
    });
    this.#unwatch?.();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Waits until the server's recovery has ended, where it is to end with a promotion. */
  async promoted(): Promise<this> {
    for (let tries = 0; tries < 600; tries++) {
      const [row] = await this.rows<{ recovers: boolean }>('SELECT pg_is_in_recovery() AS recovers');
      if (row?.recovers === false) return this;
      await sleep(100);
    }
    throw new Error(`The server is still in recovery.\n${this.log()}`);
  }

  get logFile(): string {
    return path.join(this.folder, 'log');
  }

  /** What the server said. */
  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Where it listens. */
  get place(): { socket: string; port: number } {
    return { socket: this.folder, port: this.port };
  }

  /** For a resource, by the server's socket. @param change another user, or other options */
  connection(change: string | Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const options = typeof change === 'string' ? { user: change } : change;
    return { ...this.place, user: 'postgres', password: `file:${passwordFileIn(this.folder)}`, ...options };
  }

  async connect(database = 'postgres'): Promise<pg.Client> {
    const client = new pg.Client({
      ...{ host: this.folder, port: this.port, user: 'postgres', database },
      password: () => this.password,
    });
    client.on('error', () => undefined);
    await client.connect().catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log()}`);
    });
    return client;
  }

  /** Runs statements and gives the rows of the last one. */
  async rows<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    database = 'postgres',
  ): Promise<Row[]> {
    const client = await this.connect(database);
    try {
      const results = await client.query<Row>(text);
      const last = Array.isArray(results) ? results.at(-1) : results;
      return last.rows;
    } finally {
      await client.end();
    }
  }

  /** Runs one of the server's programs, or one that is named by its whole path, as its account. @returns what it prints */
  protected async asAccount(program: string, args: readonly string[]): Promise<string> {
    const file = path.resolve(this.programs, program);
    const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C', PGPASSWORD: this.password };
    const options = { cwd: this.folder, env, maxBuffer: 1 << 28 };
    if (SERVER_ACCOUNT === undefined) return (await run(file, [...args], options)).stdout;
    const { uid, gid } = SERVER_ACCOUNT;
    const words = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', file, ...args];
    return (await run('setpriv', words, options)).stdout;
  }

  get #ownSettings(): string[] {
    return [`port = ${this.port}`, `unix_socket_directories = '${this.folder}'`, `listen_addresses = '127.0.0.1'`];
  }
}

function passwordFileIn(folder: string): string {
  return path.join(folder, 'password');
}

/** A folder that the servers' account may write to. */
export async function ownedFolder(): Promise<string> {
  // Sockets lie in there, whose paths must be short.
  const folder = await mkdtemp(path.join(PLACE, 'pg-'));
  await chmod(folder, 0o755);
  await give(folder);
  return folder;
}

export async function ownedSubfolder(parent: string, name: string): Promise<string> {
  const folder = path.join(parent, name);
  await mkdir(folder, { mode: 0o700 });
  await give(folder);
  return folder;
}

export async function give(file: string): Promise<void> {
  if (SERVER_ACCOUNT !== undefined) await chown(file, SERVER_ACCOUNT.uid, SERVER_ACCOUNT.gid);
}

/** Gives a folder and all in it to the account that servers run as. */
export function giveToServer(folder: string): void {
  if (SERVER_ACCOUNT !== undefined)
    execFileSync('chown', ['-R', `${SERVER_ACCOUNT.uid}:${SERVER_ACCOUNT.gid}`, folder]);
}
