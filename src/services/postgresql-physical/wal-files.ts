import type { LogFiles } from '../../core/ports/log-files.ts';
import { getWalFile, takeFetchedFile } from './wal-get.ts';
import { pushWalFile } from './wal-push.ts';

/** PostgreSQL's WAL files, for `archive_command` and `restore_command`. */
export const walFiles: LogFiles = { push: pushWalFile, get: getWalFile, takeFetched: takeFetchedFile };
