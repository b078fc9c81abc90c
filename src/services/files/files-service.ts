import type { Service } from '../../core/ports/service.ts';
import { backUpFiles } from './backup.ts';
import { parseFilesConfiguration } from './configuration.ts';
import { downloadFiles, FILES_FORMATS } from './download.ts';
import { parseFilesAssertions } from './files-assertions.ts';
import { drillFiles } from './files-drill.ts';
import { testPaths } from './paths-test.ts';
import { restoreFiles } from './restore.ts';
import { DEFAULT_SIZES, type FilesSizes } from './sizes.ts';

/** Backs up and restores trees of files of the machine that Holdfast runs on. */
export function createFilesService(sizes: FilesSizes = DEFAULT_SIZES): Service {
  return {
    name: 'files',
    description: 'Files and folders of this machine, with owners, modes, times, links, attributes and holes.',
    contentKind: 'tree',
    backupTypes: ['full', 'incremental', 'differential'],
    source: 'fetched',
    parseConfiguration: parseFilesConfiguration,
    backup: (context) => backUpFiles(context, sizes),
    restore: (context) => restoreFiles(context, sizes),
    downloads: { formats: FILES_FORMATS },
    download: downloadFiles,
    drill: (context) => drillFiles(context, sizes),
    parseAssertions: parseFilesAssertions,
    restoresIntoResources: true,
    test: testPaths,
  };
}
