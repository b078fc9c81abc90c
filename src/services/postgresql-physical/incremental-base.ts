import { HoldfastError } from '../../core/errors.ts';
import type { BackupContext } from '../../core/ports/service.ts';
import type { TreeEntry } from '../../core/tree-entry.ts';
import { MANIFEST_PATH } from './backup-manifest.ts';
import { EarlierFiles } from './earlier-files.ts';
import { recordedCluster } from './recorded-cluster.ts';
import type { ServerFacts } from './server-look.ts';

const FIRST_MAJOR = 17;

/** The backup that an incremental or differential one builds on. */
export interface IncrementalBase {
  backupId: string;
  files: EarlierFiles;
  segmentBytes: number;
  /** For UPLOAD_MANIFEST. */
  manifest: AsyncIterable<Uint8Array>;
}

/** Undefined, with a warning that says why, where the server or the earlier backup allows a full backup only. */
export async function incrementalBase(
  { type, chain, warn }: BackupContext,
  facts: ServerFacts,
): Promise<IncrementalBase | undefined> {
  const link = chain.at(-1);
  if (type === 'full' || link === undefined) return undefined;
  const { backup, reader } = link;
  const obstacle = obstacleOf(facts);
  if (obstacle !== undefined) {
    warn(`${obstacle} Made a full backup; what did not change is not stored again.`);
    return undefined;
  }
  const cluster = recordedCluster(reader.record.serviceData, backup.id);
  if (cluster.systemIdentifier !== facts.systemIdentifier || cluster.pageBytes !== facts.pageBytes) {
    warn(`${backup.id} is of another cluster: made a full backup.`);
    return undefined;
  }
  const entry = await manifestEntry(reader.entries({ paths: [MANIFEST_PATH] }));
  return {
    backupId: backup.id,
    files: new EarlierFiles(reader),
    segmentBytes: cluster.segmentBytes,
    manifest: reader.read(entry.content),
  };
}

function obstacleOf({ major, version, summarizesWal }: ServerFacts): string | undefined {
  if (major < FIRST_MAJOR)
    return `The server is PostgreSQL ${version}, and incremental base backups are possible from ${FIRST_MAJOR} on.`;
  if (!summarizesWal)
    return 'The server does not note which blocks change: set `summarize_wal = on` there and reload it.';
  return undefined;
}

async function manifestEntry(entries: AsyncIterable<TreeEntry>): Promise<TreeEntry> {
  for await (const entry of entries) if (entry.path === MANIFEST_PATH) return entry;
  const message = `The earlier backup has no ${MANIFEST_PATH}. Make a full backup.`;
  throw new HoldfastError('damaged', 'postgresql-file-missing', message, { details: { path: MANIFEST_PATH } });
}
