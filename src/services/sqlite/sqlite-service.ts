import type { Service } from '../../core/ports/service.ts';
import { backUpDatabase } from './backup.ts';
import { captureDatabase } from './capture.ts';
import { parseSqliteConfiguration } from './configuration.ts';
import { downloadDatabase, SQLITE_FORMATS } from './database-download.ts';
import { testDatabase } from './database-test.ts';
import { momentsOfLog } from './log-moments.ts';
import { readDatabase } from './read-database.ts';
import { restoreDatabase } from './restore.ts';
import { parseSqliteAssertions } from './sqlite-assertions.ts';
import { drillDatabase } from './sqlite-drill.ts';

/**
 * Backs up SQLite databases of this machine while they are in use, each as the file that SQLite's own online backup makes, and
 * restores them checked. Every backup is a full one; what earlier ones hold already is not stored again.
 */
export function createSqliteService(): Service {
  return {
    name: 'sqlite',
    description: 'SQLite databases of this machine, backed up while they are in use, restored with integrity checks.',
    contentKind: 'stream',
    backupTypes: ['full'],
    source: 'fetched',
    mediaType: 'application/vnd.sqlite3',
    parseConfiguration: parseSqliteConfiguration,
    backup: backUpDatabase,
    restore: restoreDatabase,
    restoresIntoResources: true,
    read: readDatabase,
    downloads: { formats: SQLITE_FORMATS },
    download: downloadDatabase,
    log: {
      isKept: (configuration) => parseSqliteConfiguration(configuration).log.enabled,
      capture: captureDatabase,
      moments: momentsOfLog,
    },
    drill: drillDatabase,
    parseAssertions: parseSqliteAssertions,
    test: testDatabase,
  };
}
