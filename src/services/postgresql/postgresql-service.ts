import type { Service } from '../../core/ports/service.ts';
import { readPlainSql } from './archive-reading.ts';
import { backUpPostgresql } from './backup.ts';
import { parsePostgresqlConfiguration } from './configuration.ts';
import type { ResolveSecret } from './connection.ts';
import { testPostgresql } from './connection-test.ts';
import { downloadPostgresql, POSTGRESQL_FORMATS } from './download.ts';
import { parsePostgresqlAssertions } from './postgresql-assertions.ts';
import { drillPostgresql } from './postgresql-drill.ts';
import { restorePostgresql } from './restore.ts';

/**
 * Backs up PostgreSQL databases logically, with the client tools, and restores them whole or in part.
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
    backup: (context) => backUpPostgresql(context, resolveSecret),
    restore: (context) => restorePostgresql(context, resolveSecret),
    restoresIntoResources: true,
    read: readPlainSql,
    downloads: { formats: POSTGRESQL_FORMATS, dialect: 'postgresql' },
    download: downloadPostgresql,
    drill: drillPostgresql,
    parseAssertions: parsePostgresqlAssertions,
    test: (context) => testPostgresql(context, resolveSecret),
  };
}
