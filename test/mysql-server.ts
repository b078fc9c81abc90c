import { type ChildProcess, execFile, type StdioOptions } from 'node:child_process';
import { openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MYSQL_PROGRAMS } from './provided-mysql.ts';
import { type Ended, fed } from './sealed-sql-rig.ts';
import { accountIds } from './server-account.ts';
import { spawnServer } from './spawned-server.ts';

const run = promisify(execFile);
/** The server refuses to run as root. */
const ACCOUNT = process.geteuid?.() === 0 ? (accountIds('mysql') ?? accountIds('nobody')) : undefined;
const SMALL = [
  ...['--innodb-flush-method=nosync', '--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0'],
  ...['--innodb-buffer-pool-size=32M', '--innodb-redo-log-capacity=8M', '--performance-schema=OFF'],
  ...['--auto-generate-certs=OFF', '--caching-sha2-password-auto-generate-rsa-keys=OFF'],
];

/** A private MySQL server in a temporary folder, reached by its socket; its superuser is `root` without a password. It numbers transactions (GTIDs). */
export class MysqlServer {
  readonly folder: string;
  readonly socket: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.socket = path.join(folder, 'socket');
  }

  static async start(): Promise<MysqlServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'mysql-'));
    await chmod(folder, 0o755);
    const data = path.join(folder, 'data');
    await mkdir(data, { mode: 0o700 });
    if (ACCOUNT !== undefined) for (const each of [folder, data]) await chown(each, ACCOUNT.uid, ACCOUNT.gid);
    const server = new MysqlServer(folder);
    try {
      const options = ['--no-defaults', '--initialize-insecure', `--datadir=${data}`, ...SMALL];
      await run(`${MYSQL_PROGRAMS}/mysqld`, options, { cwd: folder, ...ACCOUNT });
      await server.#begin(data);
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  async #begin(data: string): Promise<void> {
    const log = path.join(this.folder, 'log');
    const output = openSync(log, 'a');
    const options = [
      ...['--no-defaults', `--datadir=${data}`, `--tmpdir=${data}`, `--socket=${this.socket}`, ...SMALL],
      ...['--skip-networking', '--mysqlx=OFF', `--pid-file=${path.join(this.folder, 'pid')}`],
      ...['--gtid-mode=ON', '--enforce-gtid-consistency', '--server-id=1', '--sync-binlog=0'],
      ...['--log-bin-trust-function-creators', `--secure-file-priv=${data}`],
    ];
    const stdio: StdioOptions = ['ignore', output, output];
    const child = spawnServer(`${MYSQL_PROGRAMS}/mysqld`, options, { cwd: this.folder, stdio }, ACCOUNT);
    this.#process = child;
    for (let tries = 0; tries < 600; tries++) {
      if (child.exitCode !== null) break;
      const isUp = await this.sql('', 'SELECT 1').catch(() => undefined);
      if (isUp !== undefined) return;
      await sleep(100);
    }
    throw new Error(`The server did not start.\n${await readFile(log, 'utf8')}`);
  }

  /** For its clients, in the order that they want: these first. */
  get options(): string[] {
    return ['--no-defaults', `--socket=${this.socket}`, '--user=root'];
  }

  /** What the client prints for a statement, without headers. */
  async sql(database: string, statement: string): Promise<string> {
    const words = [...this.options, '-N', '-B', '--default-character-set=utf8mb4', '-e', statement];
    const { stdout } = await run(`${MYSQL_PROGRAMS}/mysql`, [...words, ...(database === '' ? [] : [database])], {
      maxBuffer: 1 << 28,
    });
    return stdout.trim();
  }

  /** As a developer feeds it, with no option but these. */
  client(database: string, input: Buffer, ...options: string[]): Promise<Ended> {
    return fed(`${MYSQL_PROGRAMS}/mysql`, [...this.options, ...options, database], process.env, input);
  }

  /** What mysqldump prints. @param words options and databases */
  async dump(...words: string[]): Promise<Buffer> {
    const { stdout } = await run(`${MYSQL_PROGRAMS}/mysqldump`, [...this.options, ...words], {
      maxBuffer: 1 << 28,
      encoding: 'buffer',
    });
    return stdout;
  }

  async remove(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
