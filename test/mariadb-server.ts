import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { skipWithout } from './installed-programs.ts';
import { type MysqlFamilyProduct, MysqlFamilyServer } from './mysql-family-server.ts';
import { accountIds } from './server-account.ts';

const run = promisify(execFile);
const ACCOUNT = process.geteuid?.() === 0 ? accountIds('mysql') : undefined;
const PATHS = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

export const MARIADB_SKIP_REASON = skipWithout({
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  mariadb: 'mariadb-client',
  'mariadb-dump': 'mariadb-client',
});

const MARIADB: MysqlFamilyProduct = {
  server: 'mariadbd',
  client: 'mariadb',
  environment: PATHS,
  account: ACCOUNT,
  initialise: (data, folder) =>
    run(
      'mariadb-install-db',
      [
        // A server that starts removes what another one is using in a folder for temporary files that they share.
        ...['--no-defaults', `--datadir=${data}`, `--tmpdir=${data}`],
        ...['--auth-root-authentication-method=normal', '--skip-test-db'],
        ...(ACCOUNT === undefined ? [] : ['--user=mysql']),
      ],
      { env: PATHS, cwd: folder },
    ),
  serverOptions: () => [
    ...['--skip-log-bin', '--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0'],
    ...['--innodb-buffer-pool-size=32M', '--character-set-server=utf8mb4'],
  ],
  clientOptions: [],
};

/** A private MariaDB server. */
export class MariadbServer extends MysqlFamilyServer {
  static start(): Promise<MariadbServer> {
    return new MariadbServer('mariadb-', MARIADB).begin();
  }

  /** The whole database as SQL, byte for byte. */
  dump(database: string, ...options: string[]): Promise<Buffer> {
    const all = ['--single-transaction', '--routines', '--triggers', '--events'];
    return this.output('mariadb-dump', [...all, ...options, database]);
  }
}
