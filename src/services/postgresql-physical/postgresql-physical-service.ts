import type { Service } from '../../core/ports/service.ts';
import type { ResolveSecret } from '../postgresql/connection.ts';
import { parsePostgresqlAssertions } from '../postgresql/postgresql-assertions.ts';
import { backUpCluster } from './backup.ts';
import { createPostgresqlLog } from './capture.ts';
import { CLUSTER_FORMATS, downloadCluster } from './cluster-download.ts';
import { parsePhysicalConfiguration } from './configuration.ts';
import { testCluster } from './connection-test.ts';
import { drillCluster } from './physical-drill.ts';
import { restoreCluster } from './restore.ts';
import { ServerPlaces } from './server-places.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/**
 * Backs up a whole PostgreSQL cluster physically, by the replication protocol, and restores it into a data folder.
 *
 * A download is one database as SQL: a data folder starts only on the same major version and architecture, with its WAL and its tablespaces in
 * their places, and it holds the roles and passwords of the whole server.
 *
 * @param resolveSecret reads what a reference to a password names
 * @param walGet how a restored server asks this Holdfast for WAL
 */
export function createPostgresqlPhysicalService(resolveSecret: ResolveSecret, walGet: WalGetCommand): Service {
  const places = new ServerPlaces();
  return {
    name: 'postgresql-physical',
    description: 'A whole PostgreSQL cluster as base backups by the replication protocol, restored into a data folder.',
    contentKind: 'tree',
    backupTypes: ['full', 'incremental', 'differential'],
    source: 'fetched',
    parseConfiguration: parsePhysicalConfiguration,
    backup: (context) => backUpCluster(context, resolveSecret),
    restoresIntoResources: true,
    restore: (context) => restoreCluster(context, walGet),
    downloads: { formats: CLUSTER_FORMATS, dialect: 'postgresql' },
    download: (context) => downloadCluster(context, { walGet, places }),
    drill: (context) => drillCluster(context, walGet),
    parseAssertions: parsePostgresqlAssertions,
    log: createPostgresqlLog(resolveSecret),
    test: (context) => testCluster(context, resolveSecret),
  };
}
