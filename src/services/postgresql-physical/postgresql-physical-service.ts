import type { Service } from '../../core/ports/service.ts';
import type { ResolveSecret } from '../postgresql/connection.ts';
import { parsePhysicalConfiguration } from './configuration.ts';
import { CLUSTER_FORMATS } from './download-formats.ts';
import { createPostgresqlLog } from './postgresql-log.ts';
import { ServerPlaces } from './server-places.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/**
 * Backs up a whole PostgreSQL cluster physically, by the replication protocol or beside the server, and restores it into a data folder. What does the
 * work is loaded when it is asked for.
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
    backup: async (context) => (await import('./backup.ts')).backUpCluster(context, resolveSecret),
    restoresIntoResources: true,
    restore: async (context) => (await import('./restore.ts')).restoreCluster(context, walGet),
    downloads: { formats: CLUSTER_FORMATS, dialect: 'postgresql' },
    download: async (context) => (await import('./cluster-download.ts')).downloadCluster(context, { walGet, places }),
    drill: async (context) => (await import('./physical-drill.ts')).drillCluster(context, walGet),
    parseAssertions: async (assertions) =>
      (await import('../postgresql/postgresql-assertions.ts')).parsePostgresqlAssertions(assertions),
    log: createPostgresqlLog(resolveSecret),
    test: async (context) => (await import('./connection-test.ts')).testCluster(context, resolveSecret),
  };
}
