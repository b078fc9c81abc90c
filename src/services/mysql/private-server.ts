import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { type ChildEnd, plainEnvironment, type RunningChild, startChild } from '../../process/child-process.ts';
import { feedChild } from '../../process/fed-child.ts';
import { type KeptServer, startKeptServer } from '../../process/kept-server.ts';
import { makeFolderOf, type ServerAccount, serverAccount, writeFileOf } from '../../process/server-account.ts';
import type { ServerPrograms } from './server-programs.ts';
import { named } from './server-version.ts';

/** The longest path of a socket that systems take, without the zero at its end: sockaddr_un has 108 bytes on Linux. */
const LONGEST_SOCKET_PATH = 103;
const POLL_MILLISECONDS = 50;
/** Until a server that was started takes connections. */
const START_SECONDS = 600;
const DATABASE = 'variant';
/** May do all to the database and nothing to the server or its files, whatever the SQL says. */
const LOADER = 'loader';

/** One line each: that is how servers read such a file. */
const FIRST_STATEMENTS = `CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4;
CREATE USER ${LOADER}@localhost;
GRANT ALL PRIVILEGES ON ${DATABASE}.* TO ${LOADER}@localhost;
`;

/**
 * A server of MariaDB or MySQL for one purpose, below a folder of the caller's: reachable by a socket in a folder that only its own account (and root) may
 * enter, without TCP, without any configuration of the machine. It has one empty database, and ends when this process ends, however that happens.
 *
 *     const server = await PrivateServer.prepare({ programs, folder, signal });
 *     await server.start();
 *     … server.client([])
 *     await server.stop();
 *
 * The folder is the caller's to remove after `stop`.
 */
export class PrivateServer {
  readonly programs: ServerPrograms;
  readonly #folder: string;
  readonly #account: ServerAccount | undefined;
  readonly #signal: AbortSignal;
  #process: KeptServer | undefined;

  private constructor(
    programs: ServerPrograms,
    folder: string,
    account: ServerAccount | undefined,
    signal: AbortSignal,
  ) {
    this.programs = programs;
    this.#folder = folder;
    this.#account = account;
    this.#signal = signal;
  }

  /**
   * @param folder private to this process; another account (root cannot run servers) is let through it, not into it
   * @throws HoldfastError `mysql-account-missing`, `mysql-folder-too-long` (unsupported)
   */
  static async prepare(given: {
    programs: ServerPrograms;
    folder: string;
    signal: AbortSignal;
  }): Promise<PrivateServer> {
    const { programs, signal } = given;
    const folder = path.join(given.folder, 'my');
    if (Buffer.byteLength(path.join(folder, 'socket')) > LONGEST_SOCKET_PATH) throw folderTooLong(given.folder);
    const account = await serverAccount(['mysql', 'nobody']);
    if (account === 'missing') throw accountMissing();
    const server = new PrivateServer(programs, folder, account, signal);
    if (account !== undefined) await chmod(given.folder, 0o711);
    for (const each of [folder, ...['data', 'tmp', 'files'].map((name) => path.join(folder, name))])
      await makeFolderOf(account, each);
    return server;
  }

  /**
   * Makes its data folder, starts it and waits until it takes connections.
   * @throws HoldfastError `mysql-private-server-failed` (unavailable) with the end of what it said
   */
  async start(): Promise<void> {
    const { programs } = this;
    const data = [`--datadir=${this.#place('data')}`, `--tmpdir=${this.#place('tmp')}`, ...SMALL];
    if (programs.installer === undefined)
      await this.#run(programs.server, ['--no-defaults', '--initialize-insecure', ...data]);
    else await this.#run(programs.installer, ['--no-defaults', ...data, ...INSTALLED]);
    const firstStatements = this.#place('first.sql');
    await writeFileOf(this.#account, firstStatements, FIRST_STATEMENTS);
    const own = [
      ...[`--pid-file=${this.#place('pid')}`, `--socket=${this.#place('socket')}`],
      ...[`--secure-file-priv=${this.#place('files')}`, `--init-file=${firstStatements}`],
    ];
    this.#signal.throwIfAborted();
    const log = this.#place('server.log');
    this.#process = await startKeptServer(programs.server, ['--no-defaults', ...data, ...own, ...SETTINGS], {
      ...{ folder: this.#folder, log, account: this.#account, environment: this.#environment },
      // There is nothing in it to be saved.
      end: 'KILL',
    });
    await this.#awaitReady(this.#process, log);
  }

  /** False once it went by itself, or was stopped. */
  get isRunning(): boolean {
    return this.#process?.hasEnded === false;
  }

  /** Starts a client of its database, as the account of the server and with few rights; SQL is its input. */
  client(options: readonly string[]): RunningChild {
    const { programs } = this;
    const fixed = ['--no-defaults', '--protocol=socket', `--socket=${this.#place('socket')}`, `--user=${LOADER}`];
    return startChild(programs.client, [...fixed, ...CLIENT, ...options, DATABASE], {
      ...{ environment: this.#environment, folder: this.#folder, account: this.#account, signal: this.#signal },
      notStarted: (cause) => failed(`${programs.client} cannot be started`, messageOf(cause), cause),
    });
  }

  /** Stops it; safe to call when it does not run. */
  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    await running?.stop('immediate');
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...plainEnvironment(), HOME: this.#folder, TMPDIR: this.#place('tmp') };
  }

  #place(name: string): string {
    return path.join(this.#folder, name);
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const child = startChild(program, args, {
      ...{ environment: this.#environment, folder: this.#folder, account: this.#account, signal: this.#signal },
      notStarted: (cause) => failed(`${program} cannot be started`, messageOf(cause), cause),
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-LOG_KEPT);
    });
    const { exitCode, stderr } = await feedChild(child, inputOf(''), { signal: this.#signal });
    if (exitCode !== 0) throw failed(`${path.basename(program)} did not succeed`, lastOf(`${said}\n${stderr}`));
  }

  async #awaitReady(server: KeptServer, log: string): Promise<void> {
    const until = performance.now() + START_SECONDS * 1000;
    for (let pause = POLL_MILLISECONDS; ; pause = Math.min(1000, pause * 1.1)) {
      const { exitCode } = await this.#knock();
      if (exitCode === 0) return;
      const said = async () => lastOf(await readFile(log, 'utf8').catch(() => ''));
      if (server.hasEnded) throw failed(`The private server of ${named(this.programs)} ended by itself`, await said());
      if (performance.now() > until)
        throw failed(`The private server took no connections for ${START_SECONDS} seconds`, await said());
      await sleep(pause, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted());
    }
  }

  #knock(): Promise<ChildEnd> {
    const client = this.client([]);
    client.stdout.resume();
    return feedChild(client, inputOf('SELECT 1;'), { signal: this.#signal });
  }
}

const LOG_KEPT = 16 << 10;

/** Small, and not safe from a power failure: for what makes the data folder and for what runs on it. `loose`: of one product or of some versions only. */
const SMALL = [
  ...['--loose-innodb-flush-method=nosync', '--loose-debug-no-sync', '--innodb-flush-log-at-trx-commit=0'],
  ...['--loose-innodb-log-file-size=32M', '--innodb-buffer-pool-size=64M', '--key-buffer-size=8M'],
  ...['--loose-aria-pagecache-buffer-size=8M', '--loose-performance-schema=OFF', '--loose-innodb-doublewrite=0'],
  // MySQL since 8.0.30, and keys and certificates for connections that there are none of.
  ...['--loose-innodb-redo-log-capacity=32M', '--loose-auto-generate-certs=OFF'],
  '--loose-caching-sha2-password-auto-generate-rsa-keys=OFF',
];

const INSTALLED = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve'];

/** Nothing reaches out or runs by itself. */
const SETTINGS = [
  ...['--skip-networking', '--loose-mysqlx=OFF', '--skip-log-bin', '--event-scheduler=OFF', '--local-infile=0'],
  ...['--max-connections=10', '--max-allowed-packet=1G', '--character-set-server=utf8mb4'],
  // Tables that name a folder of their own (DATA DIRECTORY) lie in the private one as well.
  '--loose-skip-symbolic-links',
  ...['--general-log=0', '--slow-query-log=0'],
  // A dump switches the checks of unique keys off; what is written later to an index would not be held against it then.
  '--loose-innodb-change-buffering=none',
];

const CLIENT = [
  ...['--batch', '--skip-column-names', '--default-character-set=utf8mb4', '--max-allowed-packet=1G'],
  // Nothing that it is fed with is a command of its own, in clients of either product; what is sealed has none anyway.
  ...['--binary-mode', '--local-infile=0'],
];

async function* inputOf(text: string): AsyncGenerator<Uint8Array> {
  if (text !== '') yield Buffer.from(text);
}

/** Complaints, or where there are none, the last lines. */
function lastOf(said: string): string {
  const lines = said.trim().split('\n');
  const complaints = lines.filter((line) => /\[ERROR\]|\bERROR\b|FATAL/.test(line));
  return (complaints.length > 0 ? complaints : lines).slice(-5).join(' ').trim();
}

function failed(what: string, said: string, cause?: unknown): HoldfastError {
  const message = `${what}: ${said === '' ? 'it left no reason' : said}. See whether the account of the server may enter the folder for temporary files (file permissions, AppArmor, SELinux), and whether there is room.`;
  return new HoldfastError('unavailable', 'mysql-private-server-failed', message, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Servers refuse to run as root. `mysql` comes with the server's package; `nobody` is everywhere. */
function accountMissing(): HoldfastError {
  const message =
    'MariaDB and MySQL do not run as root, and there is neither a user "mysql" nor "nobody" on this machine.';
  return new HoldfastError('unsupported', 'mysql-account-missing', `${message} Make one of them.`);
}

function folderTooLong(folder: string): HoldfastError {
  const message = `The path ${folder} is too long for the socket of a private server. Let TMPDIR of the service name a folder with a shorter path.`;
  return new HoldfastError('unsupported', 'mysql-folder-too-long', message, { details: { folder } });
}
