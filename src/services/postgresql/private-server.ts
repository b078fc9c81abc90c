import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { type KeptServer, startKeptServer } from '../../process/kept-server.ts';
import { makeFolderOf, type ServerAccount, serverAccount, writeFileOf } from '../../process/server-account.ts';
import { Connection, inheritedEnvironment } from './connection.ts';
import { connectionSchema } from './connection-schema.ts';
import type { ServerPrograms } from './server-programs.ts';
import { Session } from './session.ts';

/** The longest path of a socket that systems take, without the zero at its end: sockaddr_un has 108 bytes on Linux. */
const LONGEST_SOCKET_PATH = 103;
const PORT = 5432;
const POLL_MILLISECONDS = 50;

export interface StartOptions {
  /** A superuser of the cluster. */
  user: string;
  /** To connect to; default `postgres`. */
  database?: string;
  /**
   * Settings beside those of every private server; they win over all that the data folder says. A recovery needs either
   * `hot_standby: 'off'` or what pg_controldata names of the source (`max_connections` and others).
   */
  settings?: Readonly<Record<string, string>>;
  /** Without a sign of life; default 600. */
  patienceSeconds?: number;
  /** Beside the begin: when the server showed last that it goes on with a recovery; see `performance.now`. */
  lastSign?: () => number;
  /** Gets the other end of what the server and its commands have as descriptor 4. */
  attend?: (channel: Duplex) => void;
}

/**
 * A PostgreSQL server for one purpose, below a folder of the caller's: reachable by a socket in a folder that only its own account
 * (and root) may enter, without TCP, without the network, without anything of the data folder's own configuration that reaches
 * out (archiving, replication, preloaded libraries). It ends when this process ends, however that happens.
 *
 *     const server = await PrivateServer.prepare({ programs, folder, signal });
 *     const dataFolder = await server.initialise();       // or a data folder that was restored; see `makeFolder`
 *     await server.start(dataFolder, { user: server.superuser });
 *     … Session.open(server.connection, …)
 *     await server.stop();
 *
 * The folder is the caller's to remove after `stop`.
 */
export class PrivateServer {
  /** The superuser of clusters that `initialise` makes: a name that no backup has. */
  readonly superuser = `holdfast_drill_${randomBytes(6).toString('hex')}`;
  readonly programs: ServerPrograms;
  readonly #folder: string;
  readonly #account: ServerAccount | undefined;
  readonly #signal: AbortSignal;
  #process: KeptServer | undefined;
  #connection: Connection | undefined;

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
   * @throws HoldfastError `postgresql-account-missing`, `postgresql-folder-too-long` (unsupported)
   */
  static async prepare(given: {
    programs: ServerPrograms;
    folder: string;
    signal: AbortSignal;
  }): Promise<PrivateServer> {
    const { programs, signal } = given;
    const folder = path.join(given.folder, 'pg');
    const socket = path.join(folder, 'socket', `.s.PGSQL.${PORT}`);
    if (Buffer.byteLength(socket) > LONGEST_SOCKET_PATH) throw folderTooLong(given.folder);
    const account = await serverAccount(['postgres', 'nobody']);
    if (account === 'missing') throw accountMissing();
    const server = new PrivateServer(programs, folder, account, signal);
    if (account !== undefined) await chmod(given.folder, 0o711);
    await makeFolderOf(account, folder);
    await makeFolderOf(account, path.dirname(socket));
    return server;
  }

  /** Makes a folder that belongs to the server's account, for a data folder that somebody else fills. */
  async makeFolder(name: string): Promise<string> {
    const folder = path.join(this.#folder, name);
    await makeFolderOf(this.#account, folder);
    return folder;
  }

  /** The account that the server runs as; undefined: this process's own. What a data folder holds must belong to it. */
  get account(): ServerAccount | undefined {
    return this.#account;
  }

  /**
   * Makes a cluster of UTF-8 and the locale C, with page checksums.
   * @param patienceSeconds until it is ended; it takes some seconds
   * @returns its data folder
   * @throws HoldfastError `postgresql-private-server-failed` (unavailable)
   */
  async initialise(patienceSeconds = 600): Promise<string> {
    const dataFolder = await this.makeFolder('data');
    const args = [
      ...['--pgdata', dataFolder, '--username', this.superuser, '--encoding', 'UTF8', '--locale', 'C'],
      ...['--auth', 'trust', '--data-checksums', '--no-sync'],
    ];
    await this.run('initdb', args, patienceSeconds);
    return dataFolder;
  }

  /**
   * Starts the server and waits until it takes connections: for a data folder with a recovery to make, until that is done.
   * @throws HoldfastError `postgresql-private-server-failed` (unavailable) with the end of the server's log
   */
  async start(dataFolder: string, options: StartOptions): Promise<void> {
    const { user, database = 'postgres', settings = {}, attend } = options;
    const hba = path.join(this.#folder, 'pg_hba.conf');
    const ident = path.join(this.#folder, 'pg_ident.conf');
    const configuration = path.join(this.#folder, 'postgresql.conf');
    // The folder of the socket is the lock on the door.
    await writeFileOf(this.#account, hba, 'local all all trust\n');
    await writeFileOf(this.#account, ident, '');
    await writeFileOf(this.#account, configuration, '');
    const all = {
      ...SETTINGS,
      ...settings,
      config_file: configuration,
      hba_file: hba,
      ident_file: ident,
      unix_socket_directories: this.#socketFolder,
      port: String(PORT),
    };
    const args = ['-D', dataFolder, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    this.#signal.throwIfAborted();
    const log = path.join(this.#folder, 'server.log');
    this.#process = await startKeptServer(this.programs.program('postgres'), args, {
      ...{ folder: this.#folder, log, account: this.#account },
      environment: { ...inheritedEnvironment(), HOME: this.#folder, LC_ALL: 'C' },
      end: 'QUIT',
      ...(attend === undefined ? {} : { attend }),
    });
    const place = { socket: this.#socketFolder, port: PORT, user, database };
    const connection = new Connection(connectionSchema.parse(place), '');
    await this.#awaitReady(connection, this.#process, log, options);
    this.#connection = connection;
  }

  /** Connects as another role from now on. */
  actAs(user: string): void {
    this.#connection = new Connection(connectionSchema.parse({ ...this.connectionOptions, user }), '');
  }

  /** To the running server. */
  get connection(): Connection {
    if (this.#connection === undefined)
      throw new HoldfastError('internal', 'postgresql-private-server-off', 'The private server does not run.');
    return this.#connection;
  }

  /** As the `connection` option of a restore takes it. */
  get connectionOptions(): Readonly<Record<string, unknown>> {
    const { host, port, user, database } = this.connection;
    return { socket: host, port, user, database };
  }

  /**
   * Stops it; safe to call when it does not run.
   * @param how `fast` leaves a data folder that is consistent on the disk; `immediate` is for those that are thrown away
   */
  async stop(how: 'fast' | 'immediate' = 'immediate'): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    this.#connection = undefined;
    await running?.stop(how);
  }

  /**
   * Runs one of the server's own programs as the server's account.
   * @param patienceSeconds until it is ended; by default it may take as long as it takes, which depends on the data
   * @throws HoldfastError `postgresql-private-server-failed` (unavailable) with what it said
   */
  async run(
    name: string,
    args: readonly string[],
    patienceSeconds?: number,
  ): Promise<{ stdout: string; stderr: string }> {
    try {
      return await promisify(execFile)(this.programs.program(name), [...args], {
        cwd: this.#folder,
        env: { ...inheritedEnvironment(), HOME: this.#folder, LC_ALL: 'C' },
        signal: this.#signal,
        maxBuffer: 64 << 20,
        // What hangs may not heed a politer one.
        ...(patienceSeconds === undefined ? {} : { timeout: patienceSeconds * 1000, killSignal: 'SIGKILL' as const }),
        ...this.#account,
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      if (patienceSeconds !== undefined && error instanceof Error && 'killed' in error && error.killed === true)
        throw failed(`${name} was not done after ${patienceSeconds} seconds, and was ended`, said, error);
      throw failed(`${name} did not succeed`, said === '' ? messageOf(error) : said, error);
    }
  }

  get #socketFolder(): string {
    return path.join(this.#folder, 'socket');
  }

  async #awaitReady(
    connection: Connection,
    server: KeptServer,
    log: string,
    { patienceSeconds = 600, lastSign = () => 0 }: StartOptions,
  ): Promise<void> {
    const begun = performance.now();
    for (let pause = POLL_MILLISECONDS; ; pause = Math.min(1000, pause * 1.1)) {
      try {
        const session = await Session.open(connection, connection.database, this.#signal);
        await session.close();
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (server.hasEnded) throw failed('The private server ended by itself', await endOf(log), error);
        const isStarting = error instanceof HoldfastError && error.kind === 'unavailable';
        if (!isStarting) throw error;
        if (performance.now() > Math.max(begun, lastSign()) + patienceSeconds * 1000)
          throw failed(
            `The private server took no connections for ${patienceSeconds} seconds`,
            await endOf(log),
            error,
          );
      }
      await sleep(pause, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted());
    }
  }
}

/** Nothing reaches out, nothing is safe from a power failure, and the log tells neither statements nor values. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  ssl: 'off',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  archive_mode: 'off',
  archive_cleanup_command: '',
  recovery_end_command: '',
  primary_conninfo: '',
  primary_slot_name: '',
  shared_preload_libraries: '',
  session_preload_libraries: '',
  local_preload_libraries: '',
  max_logical_replication_workers: '0',
  autovacuum: 'off',
  // Whoever knocked while the server stopped keeps a process of it alive for as long.
  authentication_timeout: '5',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_statement: 'none',
  lc_messages: 'C',
  shared_buffers: '64MB',
  maintenance_work_mem: '64MB',
};

/** What the server's log says of its end: its complaints, or where there are none, its last lines. */
async function endOf(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  const complaints = lines.filter((line) => /(FATAL|PANIC|ERROR): /.test(line) && !/database system is/.test(line));
  return (complaints.length > 0 ? complaints : lines).slice(-5).join(' ');
}

/** Servers refuse to run as root. `postgres` comes with the server's package; `nobody` is everywhere. */
function accountMissing(): HoldfastError {
  const message =
    'PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody" on this machine.';
  return new HoldfastError('unsupported', 'postgresql-account-missing', `${message} Make one of them.`);
}

function failed(what: string, said: string, cause: unknown): HoldfastError {
  const message = `${what}: ${said === '' ? 'it left no reason' : said}. See whether the account of PostgreSQL may enter the folder for temporary files, and whether there is room.`;
  return new HoldfastError('unavailable', 'postgresql-private-server-failed', message, { cause });
}

function folderTooLong(folder: string): HoldfastError {
  const message = `The path ${folder} is too long for the socket of a private PostgreSQL server. Let TMPDIR of the service name a folder with a shorter path.`;
  return new HoldfastError('unsupported', 'postgresql-folder-too-long', message, { details: { folder } });
}
