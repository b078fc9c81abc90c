import { execFile, execFileSync, spawn } from 'node:child_process';
import { appendFile, chmod, chown, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { systemErrorCode } from '../src/core/errors.ts';
import { freePort } from './free-port.ts';
import { SERVER_PROGRAMS } from './postgresql-server.ts';
import { SERVER_ACCOUNT } from './server-account.ts';

const run = promisify(execFile);
const PASSWORD = 'sup3r-secret-of-tests';

/** A server whose WAL is kept: it can be killed, copied, promoted and recovered. Its superuser is `postgres`. */
export class WalCluster {
  readonly folder: string;
  readonly port: number;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async create(settings: readonly string[] = [], initdb: readonly string[] = []): Promise<WalCluster> {
    const cluster = await WalCluster.#prepare();
    const passwordFile = path.join(cluster.folder, 'password');
    await cluster.#asAccount('initdb', [
      ...['-D', cluster.data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'],
      `--pwfile=${passwordFile}`,
      ...initdb,
    ]);
    await cluster.configure(['shared_buffers = 32MB', 'wal_level = replica', 'fsync = off', ...settings]);
    await cluster.start();
    return cluster;
  }

  /** A copy of this server's data made by pg_basebackup, not started yet. */
  async copy(options: readonly string[] = ['-X', 'none']): Promise<WalCluster> {
    const copy = await WalCluster.#prepare();
    await rm(copy.data, { recursive: true });
    const from = ['-h', this.folder, '-p', String(this.port), '-U', 'postgres'];
    try {
      await this.#asAccount('pg_basebackup', [...from, '-D', copy.data, '-c', 'fast', '--no-sync', ...options]);
    } catch (error) {
      await copy.remove();
      throw error;
    }
    await copy.configure([]);
    return copy;
  }

  /** The same data folder once more, as it is now; neither must run. */
  async duplicate(): Promise<WalCluster> {
    const copy = await WalCluster.#prepare();
    await cp(this.data, copy.data, { recursive: true });
    giveToServer(copy.data);
    await copy.configure([]);
    return copy;
  }

  static async #prepare(): Promise<WalCluster> {
    const folder = await mkdtemp(path.join(tmpdir(), 'pgwal-'));
    const cluster = new WalCluster(folder, await freePort());
    await chmod(folder, 0o755);
    await writeFile(path.join(folder, 'password'), PASSWORD);
    await mkdir(cluster.data, { mode: 0o700 });
    if (SERVER_ACCOUNT !== undefined)
      for (const each of [folder, cluster.data, path.join(folder, 'password')])
        await chown(each, SERVER_ACCOUNT.uid, SERVER_ACCOUNT.gid);
    return cluster;
  }

  get data(): string {
    return path.join(this.folder, 'data');
  }

  /** Appends settings; later ones win. */
  async configure(settings: readonly string[]): Promise<void> {
    const own = [`port = ${this.port}`, `unix_socket_directories = '${this.folder}'`, `listen_addresses = '127.0.0.1'`];
    const file = path.join(this.data, 'postgresql.auto.conf');
    await appendFile(file, `${[...own, ...settings].join('\n')}\n`);
  }

  async start(): Promise<void> {
    await this.#asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', '-l', this.logFile, 'start']);
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', '-m', mode, 'stop']);
  }

  /** Stops all processes of the server where they are, or lets them go on. */
  async freeze(signal: 'SIGSTOP' | 'SIGCONT' = 'SIGSTOP'): Promise<void> {
    await this.#signal(signal);
  }

  /** SIGKILL to the postmaster and all its children. */
  async kill(): Promise<void> {
    const killed = await this.#signal('SIGKILL');
    while ((await Promise.all(killed.map(isRunning))).includes(true)) await pause(20);
    // Where nobody takes note of an orphan's end, its number seems to be in use, and the server would not start.
    for (const lock of [path.join(this.data, 'postmaster.pid'), path.join(this.folder, `.s.PGSQL.${this.port}.lock`)])
      await rm(lock, { force: true });
  }

  async #signal(signal: NodeJS.Signals): Promise<number[]> {
    const [first] = (await readFile(path.join(this.data, 'postmaster.pid'), 'utf8')).split('\n');
    const children = execFileSync('pgrep', ['-P', String(first)], { encoding: 'utf8' });
    const processes = [Number(first), ...children.trim().split('\n').map(Number)];
    for (const id of processes) {
      try {
        process.kill(id, signal);
      } catch (error) {
        // One that ended by itself meanwhile.
        if (systemErrorCode(error) !== 'ESRCH') throw error;
      }
    }
    return processes;
  }

  async promote(): Promise<void> {
    await this.#asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', 'promote']);
  }

  /** Makes the data folder recover when it is started: from an archive, as a standby where `signal` says so. */
  async signal(name: 'recovery' | 'standby'): Promise<void> {
    const file = path.join(this.data, `${name}.signal`);
    await writeFile(file, '');
    if (SERVER_ACCOUNT !== undefined) await chown(file, SERVER_ACCOUNT.uid, SERVER_ACCOUNT.gid);
  }

  get logFile(): string {
    return path.join(this.folder, 'log');
  }

  /** For a resource. */
  connection(change: Record<string, unknown> = {}): Record<string, unknown> {
    const password = `file:${path.join(this.folder, 'password')}`;
    return { socket: this.folder, port: this.port, user: 'postgres', password, ...change };
  }

  /** For `primary_conninfo`. */
  get connectionText(): string {
    return `host=${this.folder} port=${this.port} user=postgres password=${PASSWORD}`;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({
      ...{ host: this.folder, port: this.port, user: 'postgres', database: 'postgres' },
      password: () => PASSWORD,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** All rows of one statement. */
  async query<Row extends pg.QueryResultRow = Record<string, string>>(text: string): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** A program of PostgreSQL; what it prints. */
  async program(name: string, args: readonly string[]): Promise<string> {
    return this.#asAccount(name, args);
  }

  async remove(): Promise<void> {
    await this.stop('immediate').catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  async #asAccount(program: string, args: readonly string[]): Promise<string> {
    const file = path.join(SERVER_PROGRAMS ?? '', program);
    const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C', PGPASSWORD: PASSWORD };
    const whole = { cwd: this.folder, env, maxBuffer: 1 << 28 };
    if (SERVER_ACCOUNT === undefined) return (await run(file, [...args], whole)).stdout;
    const words = [`--reuid=${SERVER_ACCOUNT.uid}`, `--regid=${SERVER_ACCOUNT.gid}`, '--clear-groups', file, ...args];
    return (await run('setpriv', words, whole)).stdout;
  }
}

async function isRunning(id: number): Promise<boolean> {
  const state = await readFile(`/proc/${id}/stat`, 'latin1').catch(() => ') Z');
  return !/\) Z/.test(state);
}

/** Gives a folder to the account that servers run as. */
export function giveToServer(folder: string): void {
  if (SERVER_ACCOUNT !== undefined)
    execFileSync('chown', ['-R', `${SERVER_ACCOUNT.uid}:${SERVER_ACCOUNT.gid}`, folder]);
}

/** Runs a program as the account that servers run as, which is how PostgreSQL runs its commands. */
export function spawnAsServer(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  if (SERVER_ACCOUNT === undefined) return spawn(program, [...args], { env });
  const words = [`--reuid=${SERVER_ACCOUNT.uid}`, `--regid=${SERVER_ACCOUNT.gid}`, '--clear-groups', program, ...args];
  return spawn('setpriv', words, { env });
}
