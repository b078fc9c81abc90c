import type { Service } from '../../core/ports/service.ts';
import { parseSqliteConfiguration } from './configuration.ts';
import { SQLITE_FORMATS } from './download-formats.ts';

/**
 * Backs up SQLite databases of this machine while they are in use, each as the file that SQLite's own online backup makes, and
 * restores them checked. Every backup is a full one; what earlier ones hold already is not stored again. What does the work is loaded
 * when it is asked for.
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
    backup: async (context) => (await import('./backup.ts')).backUpDatabase(context),
    restore: async (context) => (await import('./restore.ts')).restoreDatabase(context),
    restoresIntoResources: true,
    read: async function* (chain, signal, options) {
      yield* (await import('./read-database.ts')).readDatabase(chain, signal, options);
    },
    downloads: { formats: SQLITE_FORMATS },
    download: async (context) => (await import('./database-download.ts')).downloadDatabase(context),
    log: {
      isKept: (configuration) => parseSqliteConfiguration(configuration).log.enabled,
      capture: async (context) => (await import('./capture.ts')).captureDatabase(context),
      moments: async (question) => (await import('./log-moments.ts')).momentsOfLog(question),
    },
    drill: async (context) => (await import('./sqlite-drill.ts')).drillDatabase(context),
    parseAssertions: async (assertions) => (await import('./sqlite-assertions.ts')).parseSqliteAssertions(assertions),
    test: async (context) => (await import('./database-test.ts')).testDatabase(context),
  };
}
