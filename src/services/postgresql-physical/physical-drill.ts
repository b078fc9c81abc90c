import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import { judgeAll, requireReader } from '../postgresql/assertion-checks.ts';
import { PrivateServer } from '../postgresql/private-server.ts';
import { checkPages, checkRelations } from '../postgresql/server-checks.ts';
import { findServerPrograms } from '../postgresql/server-programs.ts';
import { checkLog } from './log-drill.ts';
import { feedFor, logToReplay, MAINTENANCE, requireNoTablespaceMade, startAndReplay } from './log-replay.ts';
import { restoreForServer } from './private-restore.ts';
import { type RecordedCluster, recordedCluster } from './recorded-cluster.ts';
import type { WalFeed } from './wal-feed.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/** The log that recovery and the checks write. */
const SPARE_BYTES = 256 * 1024 * 1024;
const MOST_FINDINGS = 50;

/**
 * Restores a cluster into a data folder of a private server of the same major version, compares every file with the manifest that the
 * source's server wrote, has the server replay the WAL that is kept (else recover to the end of the backup), to its end or to a moment, and checks
 * tables, indexes and pages of what came of it.
 */
export async function drillCluster(context: DrillContext, walGet: WalGetCommand): Promise<DrillOutcome> {
  const { backup, chain, checks, signal, folder } = context;
  const reader = chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A drill was begun without a backup to restore.');
  const cluster = recordedCluster(reader.record.serviceData, backup.id);
  const kept = await logToReplay(context, cluster);
  await context.requireRoom(backup.size + SPARE_BYTES + (kept?.roomBytes ?? 0));
  const programs = await findServerPrograms(cluster.major, { exactly: true });
  requireReader(context, programs);
  const server = await PrivateServer.prepare({ programs, folder, signal });
  let feed: WalFeed | undefined;
  try {
    feed = kept === undefined ? undefined : await feedFor(context, cluster, { ...kept, server });
    const dataFolder = await restore(context, { cluster, server, walGet, feed, until: kept?.until });
    const isCompared = await compareWithManifest(context, server, dataFolder);
    await requireNoTablespaceMade(path.join(dataFolder, 'pg_wal'), cluster, signal);
    const databases = await startAndReplay(context, { cluster, server, dataFolder, feed });
    await checkRelations(server, MAINTENANCE, context);
    await judgeAll(context, databases, { server, maintenance: MAINTENANCE });
    await server.stop('fast');
    await checkPages(server, dataFolder, checks);
    if (!isCompared && feed === undefined) throw verifierMissing(programs);
    // What lies beyond the moment has nothing to do with it, and may be much.
    if (context.moment === undefined) await checkLog(context, cluster, feed?.given);
    return { restoredBytes: backup.size, software: { postgresql: programs.version } };
  } finally {
    await server.stop();
    await feed?.settle();
  }
}

interface Target {
  cluster: RecordedCluster;
  server: PrivateServer;
  walGet: WalGetCommand;
  feed: WalFeed | undefined;
  until: string | undefined;
}

async function restore(context: DrillContext, { cluster, server, walGet, feed, until }: Target): Promise<string> {
  let dataFolder = '';
  await context.checks.make(
    {
      name: 'restored',
      kind: 'integrity',
      description: 'The cluster is restored into an empty data folder',
      expected: `${cluster.files.toLocaleString('en-US')} files`,
    },
    async () => {
      const restored = await restoreForServer(context, {
        cluster,
        server,
        walGet,
        restoreCommand: feed?.command,
        until,
      });
      dataFolder = restored.dataFolder;
      return {
        outcome: 'passed',
        found: `${restored.files.toLocaleString('en-US')} files, ${restored.bytes.toLocaleString('en-US')} bytes`,
      };
    },
  );
  return dataFolder;
}

/** @returns false where that cannot be done here */
async function compareWithManifest(
  { checks }: DrillContext,
  server: PrivateServer,
  dataFolder: string,
): Promise<boolean> {
  const { outcome } = await checks.make(
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
  return outcome !== 'not-applicable';
}

/** Without it and without a log, nothing of what was restored is compared with what was backed up. */
function verifierMissing({ folder, major }: PrivateServer['programs']): HoldfastError {
  const message = `Files are compared with the backup's manifest by pg_verifybackup, which is not beside the server in ${folder}. Install all programs of PostgreSQL ${major} there (apt-get install postgresql-${major} postgresql-client-${major}), or keep a log for the resource, whose replay shows that it is whole.`;
  return new HoldfastError('unsupported', 'postgresql-verifybackup-missing', message);
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
