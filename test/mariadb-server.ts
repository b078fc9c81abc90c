import { type ChildProcess, execFile, type StdioOptions } from 'node:child_process';
import { openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { skipWithout } from './installed-programs.ts';
import { accountIds } from './server-account.ts';
import { spawnServer } from './spawned-server.ts';

const run = promisify(execFile);
const PLACE = tmpdir();
/** The server refuses to run as root. */
const ACCOUNT = process.geteuid?.() === 0 ? accountIds('mysql') : undefined;
const PATHS = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

export const MARIADB_SKIP_REASON = skipWithout({
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  mariadb: 'mariadb-client',
  'mariadb-dump': 'mariadb-client',
});

/** A private MariaDB server in a temporary folder, reached by its socket; its superuser is `root` without a password. */
export class MariadbServer {
  readonly folder: string;
  readonly socket: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.socket = path.join(folder, 'socket');
  }

  static async start(): Promise<MariadbServer> {
    const folder = await mkdtemp(path.join(PLACE, 'mariadb-'));
    await chmod(folder, 0o755);
    const data = path.join(folder, 'data');
    await mkdir(data, { mode: 0o700 });
    if (ACCOUNT !== undefined) for (const each of [folder, data]) await chown(each, ACCOUNT.uid, ACCOUNT.gid);
    const server = new MariadbServer(folder);
    try {
      await run(
        'mariadb-install-db',
        [
          // A server that starts removes what another one is using in a folder for temporary files that they share.
          ...[
            '--no-defaults',
            `--datadir=${data}`,
            `--tmpdir=${data}`,
            '--auth-root-authentication-method=normal',
            '--skip-test-db',
          ],
          ...(ACCOUNT === undefined ? [] : ['--user=mysql']),
        ],
        { env: PATHS, cwd: folder },
      );
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
      ...[
        '--no-defaults',
        `--datadir=${data}`,
        `--tmpdir=${data}`,
        `--socket=${this.socket}`,
        '--skip-networking',
        '--skip-log-bin',
      ],
      ...[
        `--pid-file=${path.join(this.folder, 'pid')}`,
        '--innodb-flush-log-at-trx-commit=0',
        '--innodb-doublewrite=0',
      ],
      ...['--innodb-buffer-pool-size=32M', '--character-set-server=utf8mb4'],
    ];
    const stdio: StdioOptions = ['ignore', output, output];
    const child = spawnServer('mariadbd', options, { env: PATHS, cwd: this.folder, stdio }, ACCOUNT);
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
    const { stdout } = await run(
      'mariadb',
      [...this.options, '-N', '-B', '-e', statement, ...(database === '' ? [] : [database])],
      {
        env: PATHS,
        maxBuffer: 1 << 28,
      },
    );
    return stdout.trim();
  }

  /** The whole database as SQL, byte for byte. */
  async dump(database: string, ...options: string[]): Promise<Buffer> {
    const args = [
      ...this.options,
      '--single-transaction',
      '--routines',
      '--triggers',
      '--events',
      ...options,
      database,
    ];
    const { stdout } = await run('mariadb-dump', args, { env: PATHS, maxBuffer: 1 << 28, encoding: 'buffer' });
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
