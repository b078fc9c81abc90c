import { type ChildProcess, execFile, type StdioOptions } from 'node:child_process';
import { mkdtempSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { accountIds } from './server-account.ts';
import { spawnServer } from './spawned-server.ts';

const run = promisify(execFile);

/** What differs between MySQL and MariaDB. */
export interface MysqlFamilyProduct {
  server: string;
  client: string;
  environment: NodeJS.ProcessEnv;
  /** The servers refuse to run as root. */
  account: ReturnType<typeof accountIds>;
  /** Makes the data folder of a new server, which is there and empty. */
  initialise(data: string, folder: string): Promise<unknown>;
  serverOptions(data: string): readonly string[];
  clientOptions: readonly string[];
}

/** A private server of MySQL or MariaDB in a temporary folder, reached by its socket; its superuser is `root` without a password. */
export class MysqlFamilyServer {
  readonly folder: string;
  readonly socket: string;
  protected readonly product: MysqlFamilyProduct;
  #process: ChildProcess | undefined;

  /** Makes its folder, whose name begins with `prefix`. */
  protected constructor(prefix: string, product: MysqlFamilyProduct) {
    this.folder = mkdtempSync(path.join(tmpdir(), prefix));
    this.socket = path.join(this.folder, 'socket');
    this.product = product;
  }

  protected async begin(): Promise<this> {
    const { account } = this.product;
    const data = path.join(this.folder, 'data');
    try {
      await chmod(this.folder, 0o755);
      await mkdir(data, { mode: 0o700 });
      if (account !== undefined) for (const each of [this.folder, data]) await chown(each, account.uid, account.gid);
      await this.product.initialise(data, this.folder);
      await this.#serve(data);
    } catch (error) {
      await this.remove();
      throw error;
    }
    return this;
  }

  async #serve(data: string): Promise<void> {
    const { server, environment, account } = this.product;
    const log = path.join(this.folder, 'log');
    const output = openSync(log, 'a');
    const options = [
      ...['--no-defaults', `--datadir=${data}`, `--tmpdir=${data}`, `--socket=${this.socket}`, '--skip-networking'],
      ...[`--pid-file=${path.join(this.folder, 'pid')}`, ...this.product.serverOptions(data)],
    ];
    const stdio: StdioOptions = ['ignore', output, output];
    const child = spawnServer(server, options, { env: environment, cwd: this.folder, stdio }, account);
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
    const { client, clientOptions } = this.product;
    const words = ['-N', '-B', ...clientOptions, '-e', statement, ...(database === '' ? [] : [database])];
    return (await this.output(client, words)).toString('utf8').trim();
  }

  protected async output(program: string, words: readonly string[]): Promise<Buffer> {
    const { stdout } = await run(program, [...this.options, ...words], {
      env: this.product.environment,
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
