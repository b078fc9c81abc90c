import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { SERVER_ACCOUNT } from './server-account.ts';

const run = promisify(execFile);
const PARENT = '/usr/lib/postgresql';
/** As it is before a rig points it to a folder that no other account may enter. */
const PLACE = tmpdir();

/** Folder of the newest server's programs, or undefined where none is installed. */
export const SERVER_PROGRAMS: string | undefined = (existsSync(PARENT) ? readdirSync(PARENT) : [])
  .sort((a, b) => Number(b) - Number(a))
  .map((version) => path.join(PARENT, version, 'bin'))
  .find((folder) => existsSync(path.join(folder, 'initdb')));

export const SKIP_REASON =
  SERVER_PROGRAMS === undefined
    ? 'THE POSTGRESQL SERVER IS MISSING, SO NONE OF THIS WAS TESTED. Run: apt-get install postgresql'
    : false;

/** A private server in a temporary folder; its superuser is `postgres` with a password. */
export class PostgresqlServer {
  readonly folder: string;
  readonly port: number;
  readonly password = 'sup3r-secret-of-tests';
  readonly programs: string;
  /** The account that it runs as, where that is not this process's. */
  readonly account = SERVER_ACCOUNT;

  private constructor(folder: string, port: number, programs: string) {
    this.folder = folder;
    this.port = port;
    this.programs = programs;
  }

  static async start(settings: readonly string[] = []): Promise<PostgresqlServer> {
    const folder = await mkdtemp(path.join(PLACE, 'pg-'));
    await chmod(folder, 0o755);
    const server = new PostgresqlServer(folder, await freePort(), SERVER_PROGRAMS ?? '');
    const passwordFile = path.join(folder, 'password');
    await writeFile(passwordFile, server.password);
    const data = path.join(folder, 'data');
    await mkdir(data, { mode: 0o700 });
    if (SERVER_ACCOUNT !== undefined)
      for (const each of [folder, passwordFile, data]) await chown(each, SERVER_ACCOUNT.uid, SERVER_ACCOUNT.gid);
    await server.#asAccount('initdb', [
      ...['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'],
      `--pwfile=${passwordFile}`,
    ]);
    const lines = [
      `port = ${server.port}`,
      `unix_socket_directories = '${folder}'`,
      `listen_addresses = '127.0.0.1'`,
      'fsync = off',
      'shared_buffers = 64MB',
      'max_connections = 40',
      ...settings,
    ];
    await writeFile(path.join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
    await server.#asAccount('pg_ctl', ['-D', data, '-w', '-t', '120', '-l', path.join(folder, 'log'), 'start']);
    return server;
  }

  /** For a resource, by the server's socket. */
  connection(user = 'postgres'): Record<string, unknown> {
    return { socket: this.folder, port: this.port, user, password: `file:${path.join(this.folder, 'password')}` };
  }

  /** What psql prints for a script, unaligned and without headers. */
  async sql(database: string, script: string): Promise<string> {
    const file = path.join(this.folder, `script-${Math.random()}.sql`);
    await writeFile(file, script);
    const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', file];
    const { stdout } = await run(path.join(this.programs, 'psql'), args, this.#client(database));
    return stdout.trim();
  }

  /** The whole database as plain SQL, without the random keys of newer pg_dumps. */
  async dump(database: string, ...options: string[]): Promise<string> {
    const { stdout } = await run(path.join(this.programs, 'pg_dump'), [...options], this.#client(database));
    return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
  }

  async remove(): Promise<void> {
    await this.#asAccount('pg_ctl', ['-D', path.join(this.folder, 'data'), '-w', '-m', 'immediate', 'stop']);
    await rm(this.folder, { recursive: true, force: true });
  }

  #client(database: string) {
    // A name on the command line would be read as a connection string where it has an equals sign.
    const env = {
      PGDATABASE: database,
      ...process.env,
      PGHOST: this.folder,
      PGPORT: String(this.port),
      PGUSER: 'postgres',
    };
    return { env: { ...env, PGPASSWORD: this.password }, maxBuffer: 1 << 30, encoding: 'latin1' as const };
  }

  async #asAccount(program: string, args: readonly string[]): Promise<void> {
    const file = path.join(this.programs, program);
    const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };
    const whole = { cwd: this.folder, env };
    if (SERVER_ACCOUNT === undefined) await run(file, [...args], whole);
    else {
      const { uid, gid } = SERVER_ACCOUNT;
      await run('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', file, ...args], whole);
    }
  }
}
