import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { SERVER_ACCOUNT } from './server-account.ts';

const run = promisify(execFile);
const PLACE = tmpdir();

/** A server in a data folder of its own, of any version, with what physical backups need. */
export class ClusterServer {
  readonly folder: string;
  readonly data: string;
  readonly port: number;
  readonly programs: string;
  readonly password = 'sup3r-secret-of-tests';

  private constructor(programs: string, folder: string, data: string, port: number) {
    this.programs = programs;
    this.folder = folder;
    this.data = data;
    this.port = port;
  }

  /** Makes a cluster and starts it. */
  static async create(programs: string, options: { settings?: readonly string[]; initdb?: readonly string[] } = {}) {
    const folder = await ownedFolder();
    const server = new ClusterServer(programs, folder, path.join(folder, 'data'), await freePort());
    const passwordFile = path.join(folder, 'password');
    await writeFile(passwordFile, server.password);
    await give(passwordFile);
    await server.#asAccount('initdb', [
      ...['-D', server.data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'],
      ...[`--pwfile=${passwordFile}`, ...(options.initdb ?? ['--data-checksums'])],
    ]);
    await appendFile(
      path.join(server.data, 'postgresql.conf'),
      `${[`port = ${server.port}`, `unix_socket_directories = '${folder}'`, `listen_addresses = '127.0.0.1'`, 'fsync = off', 'shared_buffers = 32MB', 'min_wal_size = 32MB', 'wal_keep_size = 0', ...(options.settings ?? [])].join('\n')}\n`,
    );
    await server.start();
    return server;
  }

  /** A server for a data folder that a restore made. */
  static async restored(programs: string, data: string): Promise<ClusterServer> {
    return new ClusterServer(programs, await ownedFolder(), data, await freePort());
  }

  async start(): Promise<void> {
    const options = `-p ${this.port} -c unix_socket_directories=${this.folder} -c listen_addresses=127.0.0.1`;
    try {
      await this.#asAccount('pg_ctl', [
        ...['-D', this.data, '-w', '-t', '120', '-l', path.join(this.folder, 'log'), '-o', options, 'start'],
      ]);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.log()}`);
    }
  }

  /** Waits until the server's recovery has ended, where it is to end with a promotion. */
  async promoted(): Promise<this> {
    for (let tries = 0; tries < 600; tries++) {
      if ((await this.value('SELECT pg_is_in_recovery()')) === 'false') return this;
      await sleep(100);
    }
    throw new Error(`The server is still in recovery.\n${this.log()}`);
  }

  /** What the server said. */
  log(): string {
    const file = path.join(this.folder, 'log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    if (!existsSync(path.join(this.data, 'postmaster.pid'))) return;
    await this.#asAccount('pg_ctl', ['-D', this.data, '-w', '-m', mode, 'stop']);
  }

  /** Where it listens. */
  get place(): { socket: string; port: number } {
    return { socket: this.folder, port: this.port };
  }

  connection(user = 'postgres'): Record<string, unknown> {
    return { ...this.place, user, password: `file:${path.join(this.folder, 'password')}` };
  }

  /** Runs statements and gives the rows of the last one. */
  async sql(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const { folder: host, port, password } = this;
    const client = new pg.Client({ host, port, password, user: 'postgres', database });
    client.on('error', () => undefined);
    await client.connect().catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log()}`);
    });
    try {
      const results = await client.query(text);
      const last = Array.isArray(results) ? results.at(-1) : results;
      return last.rows;
    } finally {
      await client.end();
    }
  }

  async value(text: string, database = 'postgres'): Promise<string> {
    return String(Object.values((await this.sql(text, database))[0] ?? {})[0]);
  }

  /** Runs one of the server's programs as its account. */
  async program(name: string, ...args: string[]): Promise<string> {
    return (await this.#asAccount(name, args)).stdout;
  }

  async remove(): Promise<void> {
    await this.stop('immediate');
    await rm(this.folder, { recursive: true, force: true });
  }

  async #asAccount(program: string, args: readonly string[]) {
    const file = path.join(this.programs, program);
    const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };
    const options = { cwd: this.folder, env };
    if (SERVER_ACCOUNT === undefined) return run(file, [...args], options);
    const { uid, gid } = SERVER_ACCOUNT;
    return run('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', file, ...args], options);
  }
}

/** A folder that the servers' account may write to. */
export async function ownedFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(PLACE, 'holdfast-pg-'));
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

async function give(file: string): Promise<void> {
  if (SERVER_ACCOUNT !== undefined) await chown(file, SERVER_ACCOUNT.uid, SERVER_ACCOUNT.gid);
}
