import { access, constants } from 'node:fs/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import { judgeAll } from '../postgresql/assertion-checks.ts';
import { Connection } from '../postgresql/connection.ts';
import { listDatabases } from '../postgresql/database-facts.ts';
import { PrivateServer } from '../postgresql/private-server.ts';
import { checkPages, checkRelations } from '../postgresql/server-checks.ts';
import { findServerPrograms } from '../postgresql/server-programs.ts';
import { Session } from '../postgresql/session.ts';
import { parsePhysicalConfiguration } from './configuration.ts';
import { checkLog } from './log-drill.ts';
import { type RecordedCluster, recordedCluster } from './recorded-cluster.ts';
import { restoreCluster } from './restore.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/** The log that recovery and the checks write. */
const SPARE_BYTES = 256 * 1024 * 1024;
/** Every cluster has it. */
const MAINTENANCE = 'template1';
/** The superuser that a cluster was made with, whatever it is called. */
const BOOTSTRAP_SUPERUSER = 10;
const MOST_FINDINGS = 50;

/**
 * Restores a cluster into a data folder of a private server of the same major version, compares every file with the manifest that the
 * source's server wrote, has the server recover to the end of the backup, and checks tables, indexes and pages.
 */
export async function drillCluster(context: DrillContext, walGet: WalGetCommand): Promise<DrillOutcome> {
  const { backup, chain, checks, signal, folder } = context;
  const reader = chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A drill was begun without a backup to restore.');
  const cluster = recordedCluster(reader.record.serviceData, backup.id);
  await context.requireRoom(backup.size + SPARE_BYTES);
  const programs = await findServerPrograms(cluster.major, { exactly: true });
  const server = await PrivateServer.prepare({ programs, folder, signal });
  try {
    const dataFolder = await restore(context, { cluster, server, walGet });
    await compareWithManifest(context, server, dataFolder);
    const databases = await start(context, server, dataFolder);
    await checkRelations(server, MAINTENANCE, context);
    await judgeAll(context, databases, { server, maintenance: MAINTENANCE });
    await server.stop('fast');
    await checkPages(server, dataFolder, checks);
    await checkLog(context, cluster);
    return { restoredBytes: backup.size, software: { postgresql: programs.version } };
  } finally {
    await server.stop();
  }
}

interface Target {
  cluster: RecordedCluster;
  server: PrivateServer;
  walGet: WalGetCommand;
}

/** To the end of the backup: the WAL for that is in the backup itself. */
async function restore(context: DrillContext, { cluster, server, walGet }: Target): Promise<string> {
  const { backup, chain, checks, signal, report, warn } = context;
  const target = await server.makeFolder('data');
  const tablespaces: Record<string, string> = {};
  for (const { oid } of cluster.tablespaces) tablespaces[oid] = await server.makeFolder(`tablespace-${oid}`);
  const options = {
    ...{ target, tablespaces, recoverTo: 'immediate', archiving: 'off' },
    ...(server.account === undefined ? {} : { owner: server.account.uid }),
  };
  await checks.make(
    {
      name: 'restored',
      kind: 'integrity',
      description: 'The cluster is restored into an empty data folder',
      expected: `${cluster.files} files`,
    },
    async () => {
      const { report: told } = await restoreCluster({ backup, chain, options, signal, report, warn }, walGet);
      return { outcome: 'passed', found: `${told.files} files, ${told.bytes} bytes` };
    },
  );
  return target;
}

async function compareWithManifest({ checks }: DrillContext, server: PrivateServer, dataFolder: string): Promise<void> {
  await checks.make(
    {
      name: 'backup-manifest',
      kind: 'content',
      description:
        'Every file has the size and checksum that the backed-up server wrote into its manifest (pg_verifybackup)',
      expected: 'no difference',
    },
    async () => {
      try {
        await access(server.programs.program('pg_verifybackup'), constants.X_OK);
      } catch {
        return { outcome: 'not-applicable', found: 'pg_verifybackup is not installed beside the server' };
      }
      return judgeFiles(server, dataFolder);
    },
  );
}

/** What the restore itself writes says how to recover, and is in no manifest. */
async function judgeFiles(server: PrivateServer, dataFolder: string): Promise<DrillFinding> {
  const ignored = ['postgresql.auto.conf', 'recovery.signal'].map((file) => `--ignore=${file}`);
  try {
    await server.run('pg_verifybackup', ['--no-parse-wal', ...ignored, dataFolder]);
    return { outcome: 'passed', found: 'no difference' };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'postgresql-private-server-failed') throw error;
    const differences = error.message.split('\n').filter((line) => line.includes('pg_verifybackup: error:'));
    if (differences.length === 0) throw error;
    return { outcome: 'failed', found: differences[0] ?? '', details: differences.slice(0, MOST_FINDINGS) };
  }
}

/** @returns the names of the databases */
async function start(context: DrillContext, server: PrivateServer, dataFolder: string): Promise<readonly string[]> {
  let databases: readonly string[] = [];
  await context.checks.make(
    {
      name: 'starts',
      kind: 'integrity',
      description: 'The server starts, recovers to the end of the backup and takes connections',
      expected: 'running',
    },
    async () => {
      const user = knownRole(context);
      const settings = { hot_standby: 'off' };
      await server.start(dataFolder, { user, database: MAINTENANCE, settings }).catch(notStarted);
      const session = await Session.open(server.connection, MAINTENANCE, context.signal);
      try {
        const { name } = await session.row<{ name: string }>('SELECT rolname AS name FROM pg_roles WHERE oid = $1', [
          BOOTSTRAP_SUPERUSER,
        ]);
        server.actAs(name);
        databases = await listDatabases(session);
      } finally {
        await session.close();
      }
      context.dataReady();
      return { outcome: 'passed', found: `running, with the databases ${databases.join(', ')}` };
    },
  );
  return databases;
}

/** A cluster that does not start is worth nothing, unless it is this machine that lacks something. */
function notStarted(error: unknown): never {
  if (!(error instanceof HoldfastError) || error.code !== 'postgresql-private-server-failed') throw error;
  if (OF_THIS_MACHINE.test(error.message)) throw error;
  throw new HoldfastError('damaged', 'postgresql-cluster-not-started', error.message, { cause: error });
}

const OF_THIS_MACHINE = /No space left|Permission denied|shared memory|semaphore|Cannot allocate|took no connections/;

/** One that is in the cluster for certain: it was there when the backup was made by it. */
function knownRole({ resource }: DrillContext): string {
  if (resource?.service !== 'postgresql-physical') return 'postgres';
  return new Connection(parsePhysicalConfiguration(resource.configuration).connection, '').user;
}
