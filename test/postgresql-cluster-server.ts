import { PostgresqlInstance } from './postgresql-instance.ts';

export { ownedFolder, ownedSubfolder } from './postgresql-instance.ts';

/** A server of any version that is backed up physically, or started in a data folder that was restored. */
export class ClusterServer extends PostgresqlInstance {
  /** Makes a cluster and starts it. */
  static async create(
    programs: string,
    options: { settings?: readonly string[]; initdb?: readonly string[] } = {},
  ): Promise<ClusterServer> {
    const server = new ClusterServer(await PostgresqlInstance.place(programs));
    const { initdb = ['--data-checksums'], settings = [] } = options;
    await server.initialise(initdb, ['min_wal_size = 32MB', 'wal_keep_size = 0', ...settings]);
    return server;
  }

  /** A server for a data folder that a restore made. */
  static async restored(programs: string, data: string): Promise<ClusterServer> {
    return new ClusterServer(await PostgresqlInstance.place(programs, data));
  }

  /** Runs statements and gives the rows of the last one. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]> {
    return this.rows(text, database);
  }

  async value(text: string, database?: string): Promise<string> {
    return String(Object.values((await this.rows(text, database))[0] ?? {})[0]);
  }

  /** Runs one of the server's programs as its account. */
  program(name: string, ...args: string[]): Promise<string> {
    return this.asAccount(name, args);
  }
}
