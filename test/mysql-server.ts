import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type MysqlFamilyProduct, MysqlFamilyServer } from './mysql-family-server.ts';
import { MYSQL_PROGRAMS } from './provided-mysql.ts';
import { type Ended, fed } from './sealed-sql-rig.ts';
import { accountIds } from './server-account.ts';

const run = promisify(execFile);
const ACCOUNT = process.geteuid?.() === 0 ? (accountIds('mysql') ?? accountIds('nobody')) : undefined;
const SMALL = [
  ...['--innodb-flush-method=nosync', '--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0'],
  ...['--innodb-buffer-pool-size=32M', '--innodb-redo-log-capacity=8M', '--performance-schema=OFF'],
  ...['--auto-generate-certs=OFF', '--caching-sha2-password-auto-generate-rsa-keys=OFF'],
];
const MYSQL: MysqlFamilyProduct = {
  server: `${MYSQL_PROGRAMS}/mysqld`,
  client: `${MYSQL_PROGRAMS}/mysql`,
  environment: process.env,
  account: ACCOUNT,
  initialise: (data, folder) =>
    run(`${MYSQL_PROGRAMS}/mysqld`, ['--no-defaults', '--initialize-insecure', `--datadir=${data}`, ...SMALL], {
      cwd: folder,
      ...ACCOUNT,
    }),
  serverOptions: (data) => [
    ...[...SMALL, '--mysqlx=OFF', '--gtid-mode=ON', '--enforce-gtid-consistency', '--server-id=1', '--sync-binlog=0'],
    ...['--log-bin-trust-function-creators', `--secure-file-priv=${data}`],
  ],
  clientOptions: ['--default-character-set=utf8mb4'],
};

/** A private MySQL server. It numbers transactions (GTIDs). */
export class MysqlServer extends MysqlFamilyServer {
  static start(): Promise<MysqlServer> {
    return new MysqlServer('mysql-', MYSQL).begin();
  }

  /** As a developer feeds it, with no option but these. */
  client(database: string, input: Buffer, ...options: string[]): Promise<Ended> {
    return fed(MYSQL.client, [...this.options, ...options, database], process.env, input);
  }

  /** What mysqldump prints. @param words options and databases */
  dump(...words: string[]): Promise<Buffer> {
    return this.output(`${MYSQL_PROGRAMS}/mysqldump`, words);
  }
}
