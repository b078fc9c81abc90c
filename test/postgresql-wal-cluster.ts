import { execFileSync, spawn } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { systemErrorCode } from '../src/core/errors.ts';
import { give, giveToServer, PostgresqlInstance, SERVER_PROGRAMS } from './postgresql-instance.ts';
import { SERVER_ACCOUNT } from './server-account.ts';

export { giveToServer } from './postgresql-instance.ts';

/** A server whose WAL is kept: it can be killed, copied, promoted and recovered. */
export class WalCluster extends PostgresqlInstance {
  static async create(settings: readonly string[] = [], initdb: readonly string[] = []): Promise<WalCluster> {
    const cluster = new WalCluster(await PostgresqlInstance.place(SERVER_PROGRAMS));
    await cluster.initialise(initdb, ['wal_level = replica', ...settings]);
    return cluster;
  }

  /** A copy of this server's data made by pg_basebackup, not started yet. */
  async copy(options: readonly string[] = ['-X', 'none']): Promise<WalCluster> {
    const copy = new WalCluster(await PostgresqlInstance.place(SERVER_PROGRAMS));
    const from = ['-h', this.folder, '-p', String(this.port), '-U', 'postgres'];
    try {
      await this.asAccount('pg_basebackup', [...from, '-D', copy.data, '-c', 'fast', '--no-sync', ...options]);
    } catch (error) {
      await copy.remove();
      throw error;
    }
    await copy.configure([]);
    return copy;
  }

  /** The same data folder once more, as it is now; neither must run. */
  async duplicate(): Promise<WalCluster> {
    const copy = new WalCluster(await PostgresqlInstance.place(SERVER_PROGRAMS));
    await cp(this.data, copy.data, { recursive: true });
    giveToServer(copy.data);
    await copy.configure([]);
    return copy;
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
    await this.asAccount('pg_ctl', ['-D', this.data, '-w', '-t', '120', 'promote']);
  }

  /** Makes the data folder recover when it is started: from an archive, as a standby where `signal` says so. */
  async signal(name: 'recovery' | 'standby'): Promise<void> {
    const file = path.join(this.data, `${name}.signal`);
    await writeFile(file, '');
    await give(file);
  }

  /** For `primary_conninfo`. */
  get connectionText(): string {
    return `host=${this.folder} port=${this.port} user=postgres password=${this.password}`;
  }

  /** All rows of one statement. */
  query<Row extends pg.QueryResultRow = Record<string, string>>(text: string): Promise<Row[]> {
    return this.rows<Row>(text);
  }

  /** A program of PostgreSQL; what it prints. */
  program(name: string, args: readonly string[]): Promise<string> {
    return this.asAccount(name, args);
  }
}

async function isRunning(id: number): Promise<boolean> {
  const state = await readFile(`/proc/${id}/stat`, 'latin1').catch(() => ') Z');
  return !/\) Z/.test(state);
}

/** Runs a program as the account that servers run as, which is how PostgreSQL runs its commands. */
export function spawnAsServer(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  if (SERVER_ACCOUNT === undefined) return spawn(program, [...args], { env });
  const words = [`--reuid=${SERVER_ACCOUNT.uid}`, `--regid=${SERVER_ACCOUNT.gid}`, '--clear-groups', program, ...args];
  return spawn('setpriv', words, { env });
}
