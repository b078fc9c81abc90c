import { createHash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { BackupContext, ServiceBackup } from '../../core/ports/service.ts';
import type { Content } from '../../core/tree-entry.ts';
import { Connection, type ResolveSecret } from '../postgresql/connection.ts';
import { parseManifest, verifyAgainstManifest } from './backup-manifest.ts';
import { baseBackupCommand } from './base-backup-command.ts';
import { type BackupPosition, BaseBackupStream, type Run, type SentTablespace } from './base-backup-stream.ts';
import { ClusterStoring } from './cluster-storing.ts';
import { type PhysicalConfiguration, parsePhysicalConfiguration } from './configuration.ts';
import { type IncrementalBase, incrementalBase } from './incremental-base.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { ReplicationSession } from './replication-session.ts';
import { segmentBytesFor } from './segment-size.ts';
import { readDatabaseSizes, readServerFacts, type ServerFacts } from './server-look.ts';
import { manifestOfWhole } from './synthetic-full.ts';
import { parseLsn } from './wal-position.ts';

/**
 * Makes a base backup by the replication protocol, without client tools: what the server sends goes into the repository as a
 * tree of files, together with the WAL that makes it consistent and the server's manifest, against which all of it is checked.
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
    if (configuration.temporarySlot) await holdWal(session, context);
    const job = { context, configuration, connection, session, facts };
    return await makeBackup(job, earlier.segmentBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

interface BackupJob {
  context: BackupContext;
  configuration: PhysicalConfiguration;
  connection: Connection;
  session: ReplicationSession;
  facts: ServerFacts;
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

/** A temporary slot ends with the connection, whatever happens. */
async function holdWal(session: ReplicationSession, { resource, warn }: BackupContext): Promise<void> {
  const name = `holdfast_backup_${randomBytes(6).toString('hex')}`;
  try {
    await session.row(`CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL RESERVE_WAL`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind === 'unavailable') throw error;
    warn(
      `No temporary replication slot could be had for the backup of "${resource.id}" (${error.message}) Without one, the server may remove WAL that a long backup needs; the backup then fails and says so. Raise \`max_replication_slots\`.`,
    );
  }
}

async function makeBackup(job: BackupJob, earlierSegmentBytes: number | undefined): Promise<ServiceBackup> {
  const { context, configuration, connection, facts } = job;
  const { signal, writer } = context;
  const before = await readDatabaseSizes(connection, signal);
  context.report({ percent: 0, phase: 'checkpoint' });
  const { stream, start, tablespaces, totalBytes, base } = await begin(job);
  const began = new Date().toISOString();
  const segmentBytes = base?.segmentBytes ?? segmentBytesFor(totalBytes, earlierSegmentBytes);
  const storing = new ClusterStoring({
    writer,
    signal,
    pages: { pageBytes: facts.pageBytes, startLsn: parseLsn(start.lsn) },
    relationFileBytes: facts.relationFileBytes,
    checksPages: facts.dataChecksums && configuration.checksums !== 'off',
    segmentBytes,
    ...(base === undefined ? {} : { earlierFiles: base.files }),
    onBytes: progressOf(context, totalBytes),
  });
  try {
    const manifest = await receive(stream, storing, job, base !== undefined);
    const ended = await readDatabaseSizes(connection, signal);
    const { root, files, bytes, readBytes } = await storing.finish(manifest);
    const record: RecordedCluster = {
      format: 1,
      ...describePositions(start, stream.end),
      systemIdentifier: facts.systemIdentifier,
      serverVersion: facts.version,
      major: facts.major,
      startedAt: before?.now ?? began,
      stoppedAt: ended?.now ?? new Date().toISOString(),
      pageBytes: facts.pageBytes,
      segmentBytes,
      walSegmentBytes: facts.walSegmentBytes,
      dataChecksums: facts.dataChecksums,
      tablespaces: describeTablespaces(tablespaces),
      files,
      ...(ended === undefined ? {} : { databases: ended.databases }),
      manifestSha256: createHash('sha256').update(manifest).digest('hex'),
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

type Begun = Awaited<ReturnType<BaseBackupStream['begin']>> & { stream: BaseBackupStream; base?: IncrementalBase };

/** Has the server begin an incremental base backup where that is asked for and possible, else a full one. */
async function begin(job: BackupJob): Promise<Begun> {
  const { context, session, facts } = job;
  const base = await incrementalBase(context, facts);
  if (base === undefined) return beginStream(job, false);
  await session.upload('UPLOAD_MANIFEST', base.manifest);
  try {
    return { ...(await beginStream(job, true)), base };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.details.sqlState !== NOT_IN_PREREQUISITE_STATE) throw error;
    // That it gave up is told here.
    session.takeNotices();
    context.warn(`The server can make no incremental backup on ${base.backupId} (${error.message}): made a full one.`);
    return beginStream(job, false);
  }
}

/** The server misses WAL summaries back to the earlier backup, or that is no ancestor of what is there now. */
const NOT_IN_PREREQUISITE_STATE = '55000';

async function beginStream({ configuration, session, facts }: BackupJob, incremental: boolean): Promise<Begun> {
  const { label, checkpoint, checksums, maxRate } = configuration;
  const command = baseBackupCommand(facts.major, {
    ...{ label, checkpoint, incremental },
    verifyChecksums: checksums !== 'off',
    ...(maxRate === undefined ? {} : { maxRate }),
  });
  const stream = new BaseBackupStream(session.messages(command), facts.major);
  return { stream, ...(await stream.begin()) };
}

/** Stores all that the server sends and checks it by the server's manifest. @returns the manifest of what is stored */
async function receive(
  stream: BaseBackupStream,
  storing: ClusterStoring,
  { context, session, configuration, facts }: BackupJob,
  isIncremental: boolean,
): Promise<Buffer> {
  let manifest: Buffer | undefined;
  try {
    for await (const part of stream.parts()) {
      if (part.kind === 'archive') await storing.take(part.tablespace, part.runs);
      else manifest = await gather(part.runs);
    }
  } catch (error) {
    // Ours names the file and the block.
    await storing.settleContents();
    if (configuration.checksums === 'fail') storing.refuseWrongPages();
    if (!stream.hasEnded || !isChecksumFailure(error) || configuration.checksums !== 'warn') throw error;
  }
  await storing.settleContents();
  if (configuration.checksums === 'fail') storing.refuseWrongPages();
  for (const warning of storing.wrongPageWarnings()) context.warn(warning);
  for (const notice of session.takeNotices()) context.warn(`The server warned: ${notice}`);
  if (manifest === undefined)
    throw new HoldfastError(
      'unsupported',
      'postgresql-answer-unexpected',
      'The server sent no backup manifest. Nothing was backed up.',
    );
  const parsed = parseManifest(manifest);
  verifyAgainstManifest(parsed, storing.received);
  return isIncremental
    ? manifestOfWhole(parsed, facts.systemIdentifier, storing.reconstructed, storing.label)
    : manifest;
}

/** The server ends a base backup that had wrong pages with this error, after all was sent. */
function isChecksumFailure(error: unknown): boolean {
  return error instanceof HoldfastError && error.details.sqlState === 'XX001';
}

async function gather(runs: AsyncIterable<Run>): Promise<Buffer> {
  const gathered: Uint8Array[] = [];
  for await (const run of runs) gathered.push(Buffer.concat(run));
  return Buffer.concat(gathered);
}

function describePositions(start: BackupPosition, end: BackupPosition) {
  return { timeline: end.timeline, startLsn: start.lsn, stopLsn: end.lsn };
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
