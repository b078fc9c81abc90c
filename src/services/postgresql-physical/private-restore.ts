import type { RestoreContext } from '../../core/ports/service.ts';
import type { PrivateServer } from '../postgresql/private-server.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { restoreCluster } from './restore.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/** Whose data folder a cluster becomes, and how that gets WAL. */
export interface PrivateRestore {
  cluster: RecordedCluster;
  server: PrivateServer;
  walGet: WalGetCommand;
  /** Gets the WAL that is kept, all of which is to be replayed. Absent: to the end of the backup, which holds the WAL for that. */
  restoreCommand?: string | undefined;
  /** With `restoreCommand`: stop before the first transaction that ended after this time, instead of replaying all. RFC 3339. */
  until?: string | undefined;
  /** Default: true, as a restore is that somebody waits for. */
  isDurable?: boolean;
}

/** Writes a backup as a data folder of a private server, with the folders of its tablespaces beside it. Archives nothing. */
export async function restoreForServer(
  { backup, chain, signal, report, warn }: Pick<RestoreContext, 'backup' | 'chain' | 'signal' | 'report' | 'warn'>,
  { cluster, server, walGet, restoreCommand, until, isDurable = true }: PrivateRestore,
): Promise<{ dataFolder: string; files: number; bytes: number }> {
  const dataFolder = await server.makeFolder('data');
  const tablespaces: Record<string, string> = {};
  for (const { oid } of cluster.tablespaces) tablespaces[oid] = await server.makeFolder(`tablespace-${oid}`);
  const options = {
    ...{ target: dataFolder, tablespaces, archiving: 'off' },
    ...(restoreCommand === undefined
      ? { recoverTo: 'immediate' }
      : { recoverTo: until === undefined ? 'latest' : { time: until }, restoreCommand }),
    ...(server.account === undefined ? {} : { owner: server.account.uid }),
  };
  const context = { backup, chain, options, signal, report, warn };
  const { report: told } = await restoreCluster(context, walGet, { isDurable });
  return { dataFolder, files: Number(told.files), bytes: Number(told.bytes) };
}
