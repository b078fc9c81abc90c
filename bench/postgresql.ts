import { findProgram } from '../test/installed-programs.ts';
import { SKIP_REASON } from '../test/postgresql-server.ts';
import { PostgresqlCluster } from './postgresql-cluster.ts';
import { measureLogical } from './postgresql-logical.ts';
import { PhysicalBench } from './postgresql-physical.ts';
import type { PostgresqlResults } from './postgresql-report.ts';

/**
 * Measures PostgreSQL backups on a pgbench database of 2 GB (quick: 150 MB) beside pg_dump with zstd, and pgBackRest where that is
 * installed.
 */
export async function measurePostgresql(options: {
  workFolder: string;
  quick: boolean;
  /** Of each job but the load; the best counts. */
  rounds: number;
  log: (line: string) => void;
}): Promise<PostgresqlResults> {
  if (SKIP_REASON !== false) throw new Error(SKIP_REASON);
  const { workFolder, quick, rounds, log } = options;
  log('making the database …');
  const cluster = await PostgresqlCluster.start(quick ? 10 : 135);
  try {
    const databaseBytes = await cluster.size();
    const logical = await measureLogical({ cluster, workFolder, rounds, log });
    if (findProgram('pgbackrest') === undefined) {
      log('pgbackrest is not installed: physical backups are not measured. apt-get install pgbackrest');
      return { databaseBytes, logical, physical: [], load: [] };
    }
    const bench = await PhysicalBench.open({ cluster, workFolder, log });
    const physical = await bench.backups(rounds);
    return { databaseBytes, logical, physical, load: await bench.load(quick ? 10 : 60) };
  } finally {
    await cluster.remove();
  }
}
