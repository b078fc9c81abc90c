import type { Service } from '../../core/ports/service.ts';
import { parsePostgresqlConfiguration } from './configuration.ts';
import type { ResolveSecret } from './connection.ts';
import { POSTGRESQL_FORMATS } from './download-formats.ts';

/**
 * Backs up PostgreSQL databases logically, with the client tools, and restores them whole or in part. What does the
 * work is loaded when it is asked for.
 *
 * @param resolveSecret reads what a reference to a password names
 */
export function createPostgresqlService(resolveSecret: ResolveSecret): Service {
  return {
    name: 'postgresql',
    description:
      'Databases of a PostgreSQL server, one, several or all with roles and tablespaces, by its client tools.',
    contentKind: 'tree',
    backupTypes: ['full'],
    source: 'fetched',
    mediaType: 'application/sql',
    parseConfiguration: parsePostgresqlConfiguration,
    backup: async (context) => (await import('./backup.ts')).backUpPostgresql(context, resolveSecret),
    restore: async (context) => (await import('./restore.ts')).restorePostgresql(context, resolveSecret),
    restoresIntoResources: true,
    read: async function* (chain, signal) {
      yield* (await import('./archive-reading.ts')).readPlainSql(chain, signal);
    },
    downloads: { formats: POSTGRESQL_FORMATS, dialect: 'postgresql' },
    download: async (context) => (await import('./download.ts')).downloadPostgresql(context),
    drill: async (context) => (await import('./postgresql-drill.ts')).drillPostgresql(context),
    parseAssertions: async (assertions) =>
      (await import('./postgresql-assertions.ts')).parsePostgresqlAssertions(assertions),
    test: async (context) => (await import('./connection-test.ts')).testPostgresql(context, resolveSecret),
  };
}
