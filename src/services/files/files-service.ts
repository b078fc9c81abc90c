import type { Service } from '../../core/ports/service.ts';
import { parseFilesConfiguration } from './configuration.ts';
import { FILES_FORMATS } from './download-formats.ts';
import { DEFAULT_SIZES, type FilesSizes } from './sizes.ts';

/**
 * Backs up and restores trees of files of the machine that Holdfast runs on. What does the work is loaded when it is asked for: every
 * command knows all services, and uses one or none.
 * @param ownFolders absolute paths of repositories, which backups do not take along
 */
export function createFilesService(sizes: FilesSizes = DEFAULT_SIZES, ownFolders: readonly string[] = []): Service {
  return {
    name: 'files',
    description: 'Files and folders of this machine, with owners, modes, times, links, attributes and holes.',
    contentKind: 'tree',
    backupTypes: ['full', 'incremental', 'differential'],
    source: 'fetched',
    parseConfiguration: parseFilesConfiguration,
    backup: async (context) => (await import('./backup.ts')).backUpFiles(context, sizes, ownFolders),
    restore: async (context) => (await import('./restore.ts')).restoreFiles(context, sizes),
    downloads: { formats: FILES_FORMATS },
    download: async (context) => (await import('./download.ts')).downloadFiles(context),
    drill: async (context) => (await import('./files-drill.ts')).drillFiles(context, sizes),
    parseAssertions: async (assertions) => (await import('./files-assertions.ts')).parseFilesAssertions(assertions),
    restoresIntoResources: true,
    test: async (context) => (await import('./paths-test.ts')).testPaths(context),
  };
}
