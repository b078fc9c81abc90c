import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { BackupContext, ServiceBackup } from '../../core/ports/service.ts';
import type { Content } from '../../core/tree-entry.ts';
import { Connection, type ResolveSecret } from '../postgresql/connection.ts';
import type { BackupJob, BaseBackup, ReceivedBaseBackup } from './base-backup.ts';
import type { SentTablespace } from './base-backup-stream.ts';
import { ClusterStoring } from './cluster-storing.ts';
import { type PhysicalConfiguration, parsePhysicalConfiguration } from './configuration.ts';
import { beginFolderBackup } from './folder-base-backup.ts';
import { incrementalBase } from './incremental-base.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { ReplicationSession } from './replication-session.ts';
import { segmentBytesFor } from './segment-size.ts';
import { type DatabaseSizes, readDatabaseSizes, readServerFacts, type ServerFacts } from './server-look.ts';
import { beginStreamedBackup } from './streamed-base-backup.ts';
import { parseLsn } from './wal-position.ts';

/**
 * Makes a base backup without client tools: what the server sends by the replication protocol, or what is read beside it of its data folder, goes
 * into the repository as a tree of files, together with the WAL that makes it consistent and a manifest, against which all of it is checked.
 *
 * @throws HoldfastError `postgresql-other-system` (conflict), `postgresql-page-checksum`, `postgresql-manifest-violated` (damaged),
 * `postgresql-version` (unsupported), and those of replication sessions
 */
export async function backUpCluster(context: BackupContext, resolveSecret: ResolveSecret): Promise<ServiceBackup> {
  const { signal } = context;
  const configuration = parsePhysicalConfiguration(context.resource.configuration);
  const connection = await Connection.open(configuration.connection, resolveSecret);
  const session = await ReplicationSession.open(connection, signal);
  try {
    const facts = await readServerFacts(session);
    const earlier = await earlierCluster(context);
    refuseOtherSystem(facts, earlier, configuration);
    const job = { context, configuration, connection, session, facts };
    return await makeBackup(job, earlier.segmentBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

type EarlierCluster = Partial<Pick<RecordedCluster, 'systemIdentifier' | 'segmentBytes'>>;

async function earlierCluster({ latest }: BackupContext): Promise<EarlierCluster> {
  const { systemIdentifier, segmentBytes } = (await latest?.()) ?? {};
  return {
    ...(typeof systemIdentifier === 'string' ? { systemIdentifier } : {}),
    ...(typeof segmentBytes === 'number' ? { segmentBytes } : {}),
  };
}

function refuseOtherSystem(
  { systemIdentifier: found }: ServerFacts,
  { systemIdentifier: known }: EarlierCluster,
  { acceptNewSystem }: PhysicalConfiguration,
): void {
  if (known === undefined || known === found || acceptNewSystem) return;
  const message = `The server is another cluster (system identifier ${found}) than the one that the earlier backups of this resource are of (${known}). Check \`connection\`; make a resource of its own for the other cluster, or, where it takes the old one's place, set \`acceptNewSystem: true\`.`;
  throw new HoldfastError('conflict', 'postgresql-other-system', message, { details: { found, known } });
}

async function makeBackup(job: BackupJob, earlierSegmentBytes: number | undefined): Promise<ServiceBackup> {
  const { context, connection } = job;
  const before = await readDatabaseSizes(connection, context.signal);
  context.report({ percent: 0, phase: 'checkpoint' });
  const backup = await begin(job, before);
  try {
    return await store(job, backup, { before, earlierSegmentBytes });
  } finally {
    await backup.close();
  }
}

interface Circumstances {
  before: DatabaseSizes | undefined;
  earlierSegmentBytes: number | undefined;
}

async function store(
  job: BackupJob,
  backup: BaseBackup,
  { before, earlierSegmentBytes }: Circumstances,
): Promise<ServiceBackup> {
  const { context, connection } = job;
  const { base, totalBytes } = backup;
  const began = new Date().toISOString();
  const segmentBytes = base?.segmentBytes ?? segmentBytesFor(totalBytes, earlierSegmentBytes);
  const storing = storingOf(job, backup, segmentBytes);
  try {
    const received = await backup.receive(storing);
    const ended = await readDatabaseSizes(connection, context.signal);
    const { root, files, bytes, readBytes } = await storing.finish(received.manifest);
    const record: RecordedCluster = {
      ...recordOf(job, backup, received),
      startedAt: before?.now ?? began,
      stoppedAt: ended?.now ?? new Date().toISOString(),
      segmentBytes,
      files,
      ...(ended === undefined ? {} : { databases: ended.databases }),
    };
    return {
      type: base === undefined ? 'full' : context.type,
      root,
      size: bytes,
      checksum: `sha256:${rootHash(root.content)}`,
      isDelta: false,
      readBytes,
      sourceBytes: bytes,
      serviceData: { ...record },
    };
  } finally {
    await storing.settle();
  }
}

/** What the server has read is known by its own reading; where files are read here, an incremental backup is still the server's. */
async function begin(job: BackupJob, sizes: DatabaseSizes | undefined): Promise<BaseBackup> {
  const base = await incrementalBase(job.context, job.facts);
  const { transfer, dataFolder } = job.configuration;
  return base === undefined && transfer === 'folder' && dataFolder !== undefined
    ? beginFolderBackup(job, dataFolder, sizes)
    : beginStreamedBackup(job, base);
}

function storingOf({ context, facts, configuration }: BackupJob, backup: BaseBackup, segmentBytes: number) {
  const { writer, signal } = context;
  return new ClusterStoring({
    writer,
    signal,
    pages: { pageBytes: facts.pageBytes, startLsn: parseLsn(backup.startLsn) },
    relationFileBytes: facts.relationFileBytes,
    checksPages: facts.dataChecksums && configuration.checksums !== 'off',
    segmentBytes,
    ...(backup.base === undefined ? {} : { earlierFiles: backup.base.files }),
    onBytes: progressOf(context, backup.totalBytes),
  });
}

function recordOf({ facts }: BackupJob, { startLsn }: BaseBackup, { manifest, end, tablespaces }: ReceivedBaseBackup) {
  const { systemIdentifier, version, major, pageBytes, walSegmentBytes, dataChecksums } = facts;
  return {
    format: 1 as const,
    ...{ timeline: end.timeline, startLsn, stopLsn: end.lsn },
    ...{ systemIdentifier, serverVersion: version, major, pageBytes, walSegmentBytes, dataChecksums },
    tablespaces: describeTablespaces(tablespaces),
    manifestSha256: createHash('sha256').update(manifest).digest('hex'),
  };
}

/** Those with a relative location lie within the data folder. */
function describeTablespaces(tablespaces: readonly SentTablespace[]) {
  return tablespaces
    .filter(({ location }) => location.startsWith('/'))
    .map(({ oid, location }) => ({ oid, location }))
    .sort((a, b) => Number(a.oid) - Number(b.oid));
}

function rootHash(content: Content): string {
  const hash = createHash('sha256');
  if ('inline' in content) hash.update(content.inline);
  else for (const { id } of 'segments' in content ? content.segments : content.pages) if (id !== null) hash.update(id);
  return hash.digest('hex');
}

function progressOf({ report }: BackupContext, totalBytes: number) {
  let last = 0;
  return (doneBytes: number, current: string): void => {
    const moment = performance.now();
    if (moment - last < 200) return;
    last = moment;
    const percent = totalBytes === 0 ? 0 : Math.min(99, Math.floor((100 * doneBytes) / totalBytes));
    report({ percent, phase: 'copying', doneBytes, totalBytes: Math.max(totalBytes, doneBytes), current });
  };
}
