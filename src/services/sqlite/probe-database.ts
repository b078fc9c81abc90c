import { DatabaseSync } from 'node:sqlite';
import { pragmaNumber } from './database-facts.ts';
import type { JobResults, ProbeJob } from './database-job.ts';
import { exists, removeEmptyLog, requireDatabaseFile } from './online-copy.ts';
import { sqliteFault } from './sqlite-fault.ts';

/** Reads of a live database what a copy reads first, and leaves nothing beside it. */
export function probeDatabase({ path, busyTimeoutMilliseconds }: ProbeJob): JobResults['probe'] {
  const { file: source } = requireDatabaseFile(path);
  const hadLog = exists(`${source}-wal`);
  const probed = readBeginning(source, busyTimeoutMilliseconds);
  if (probed.journalMode === 'wal' && !hadLog) removeEmptyLog(source);
  return probed;
}

function readBeginning(source: string, timeout: number): JobResults['probe'] {
  try {
    const database = new DatabaseSync(source, { readOnly: true, timeout });
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
      return {
        pageSize: pragmaNumber(database, 'page_size'),
        pageCount: pragmaNumber(database, 'page_count'),
        journalMode: String(database.prepare('PRAGMA journal_mode').get()?.journal_mode),
      };
    } finally {
      database.close();
    }
  } catch (error) {
    throw sqliteFault(error, source);
  }
}
