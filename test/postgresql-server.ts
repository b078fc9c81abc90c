import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { skipUnless } from './installed-programs.ts';
import { type InstancePlace, PostgresqlInstance, SERVER_PROGRAMS } from './postgresql-instance.ts';

export { SERVER_PROGRAMS } from './postgresql-instance.ts';

const run = promisify(execFile);

export const SKIP_REASON = skipUnless(SERVER_PROGRAMS !== undefined, 'initdb', 'apt-get install postgresql');

/** A server that is asked by the client programs, whose output is compared as it is. */
export class PostgresqlServer extends PostgresqlInstance {
  /** The folder of psql and pg_dump. */
  readonly #clients: string;

  private constructor(place: InstancePlace, clients: string) {
    super(place);
    this.#clients = clients;
  }

  /**
   * @param programs of another server than the newest of this machine
   * @param clients the folder of its client programs, where they are not beside it
   */
  static async start(
    settings: readonly string[] = [],
    programs = SERVER_PROGRAMS,
    clients = programs,
  ): Promise<PostgresqlServer> {
    const server = new PostgresqlServer(await PostgresqlInstance.place(programs), clients ?? '');
    await server.initialise([], ['shared_buffers = 64MB', 'max_connections = 40', ...settings]);
    return server;
  }

  /** What psql prints for a script, unaligned and without headers. */
  async sql(database: string, script: string): Promise<string> {
    const file = path.join(this.folder, `script-${Math.random()}.sql`);
    await writeFile(file, script);
    const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', file];
    const { stdout } = await run(path.join(this.#clients, 'psql'), args, this.#client(database));
    return stdout.trim();
  }

  /** The whole database as plain SQL, without the random keys of newer pg_dumps. */
  async dump(database: string, ...options: string[]): Promise<string> {
    const { stdout } = await run(path.join(this.#clients, 'pg_dump'), [...options], this.#client(database));
    return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
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
}
