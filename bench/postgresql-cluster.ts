import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PostgresqlServer } from '../test/postgresql-server.ts';
import type { Command } from './measured-command.ts';

const DATABASE = 'bench';
/** As on a server of this size; what the tests switch off is on. */
const SETTINGS = [
  'fsync = on',
  'shared_buffers = 1GB',
  'max_wal_size = 4GB',
  'wal_level = replica',
  'archive_mode = on',
  `archive_command = 'true'`,
  'autovacuum = off',
];

/** A private server with a pgbench database, and the commands that work on it. */
export class PostgresqlCluster {
  readonly server: PostgresqlServer;
  readonly #account = process.geteuid?.() === 0 ? 'postgres' : undefined;

  private constructor(server: PostgresqlServer) {
    this.server = server;
  }

  /** @param scale of pgbench: about 15 MB each */
  static async start(scale: number): Promise<PostgresqlCluster> {
    const cluster = new PostgresqlCluster(await PostgresqlServer.start(SETTINGS));
    await cluster.server.sql('postgres', `CREATE DATABASE ${DATABASE}`);
    cluster.#run(cluster.tool('pgbench', '--initialize', '--quiet', `--scale=${scale}`, DATABASE));
    return cluster;
  }

  get dataFolder(): string {
    return join(this.server.folder, 'data');
  }

  get database(): string {
    return DATABASE;
  }

  /** bytes */
  async size(): Promise<number> {
    return Number(await this.server.sql(DATABASE, `SELECT pg_database_size('${DATABASE}')`));
  }

  /** Changes one in a hundred accounts, those that lie together or all over the table and others in each round, and lets the table settle. */
  async changeOnePercent(which: 'together' | 'scattered', round: number): Promise<void> {
    const hundredth = '(SELECT max(aid) / 100 FROM pgbench_accounts)';
    const rows = which === 'together' ? `(aid - 1) / ${hundredth} = ${round - 1}` : `aid % 100 = ${round}`;
    await this.server.sql(DATABASE, `UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE ${rows}`);
    await this.server.sql(DATABASE, 'CHECKPOINT');
  }

  async set(name: string, value: string): Promise<void> {
    await this.server.sql('postgres', `ALTER SYSTEM SET ${name} = '${value}'`);
    await this.server.sql('postgres', 'SELECT pg_reload_conf()');
  }

  /** Transactions per second of eight clients at full speed. */
  async load(seconds: number): Promise<number> {
    const command = this.tool('pgbench', '--client=8', '--jobs=2', `--time=${seconds}`, '--no-vacuum', DATABASE);
    const output = execFileSync(command.program, command.commandLine, {
      encoding: 'utf8',
      env: { ...process.env, ...command.environment },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number(/^tps = ([\d.]+)/m.exec(output)?.[1]);
  }

  /** One of the server's programs, by its socket. */
  tool(program: string, ...words: string[]): Command {
    return {
      program: join(this.server.programs, program),
      commandLine: words,
      environment: {
        PGHOST: this.server.folder,
        PGPORT: String(this.server.port),
        PGUSER: 'postgres',
        PGPASSWORD: this.server.password,
      },
    };
  }

  /** A command as the account that the server runs as, which alone may read its files. */
  asServer({ program, commandLine, environment }: Command): Command {
    if (this.#account === undefined) return { program, commandLine, environment };
    const become = ['--reuid', this.#account, '--regid', this.#account, '--clear-groups', program];
    return { program: 'setpriv', commandLine: [...become, ...commandLine], environment, folder: this.server.folder };
  }

  remove(): Promise<void> {
    return this.server.remove();
  }

  #run({ program, commandLine, environment }: Command): void {
    const { status, stderr } = spawnSync(program, commandLine, {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
    });
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  }
}
