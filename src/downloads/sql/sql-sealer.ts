import { HoldfastError } from '../../core/errors.ts';
import type { SealOptions, SqlSealer } from '../../core/ports/sql-sealer.ts';
import { failureSql } from './failure-sql.ts';
import { MysqlSeal } from './mysql-seal.ts';
import { PostgresqlSeal } from './postgresql-seal.ts';
import { type Seal, sealedStream } from './sealed-stream.ts';

const LONGEST_STATEMENT = 64 << 20;

export interface SqlSealerOptions {
  /** A dump with a longer statement is refused; it is held in memory. Default 64 MiB. */
  maxStatementBytes?: number;
}

/** Makes the seals of PostgreSQL and MySQL. */
export function createSqlSealer({ maxStatementBytes = LONGEST_STATEMENT }: SqlSealerOptions = {}): SqlSealer {
  return {
    seal: (source, options) => sealedStream(source, sealOf(options), maxStatementBytes),
    failure: failureSql,
  };
}

function sealOf({ dialect, mode, title }: SealOptions): Seal {
  if (dialect === 'postgresql') return new PostgresqlSeal({ mode, title });
  if (mode === 'create') return new MysqlSeal(title);
  const message =
    'mode=replace is not possible for MySQL and MariaDB: they commit each change of a schema at once, so a cut download would leave neither the old data nor the new. Download with mode=create into an empty database, and put that in the place of the old one when it is whole.';
  throw new HoldfastError('unsupported', 'mode-not-possible', message);
}
