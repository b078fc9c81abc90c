import { HoldfastError } from '../../core/errors.ts';
import { parseManifest, verifyAgainstManifest } from './backup-manifest.ts';
import type { BackupJob, BaseBackup } from './base-backup.ts';
import { baseBackupCommand } from './base-backup-command.ts';
import { BaseBackupStream, type Run } from './base-backup-stream.ts';
import type { ClusterStoring } from './cluster-storing.ts';
import { holdWal, holdWalBeside } from './held-wal.ts';
import type { IncrementalBase } from './incremental-base.ts';
import { manifestOfWhole } from './synthetic-full.ts';

/** Has the server begin to send a base backup: on an earlier one where that is possible, else a full one. */
export async function beginStreamedBackup(job: BackupJob, base?: IncrementalBase): Promise<BaseBackup> {
  const close = await holdWalBeside(job);
  try {
    if (close === undefined)
      await holdWal(job, (slot) => job.session.row(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY PHYSICAL RESERVE_WAL`));
    const begun = await begin(job, base);
    return { ...begun, close: async () => close?.() };
  } catch (error) {
    await close?.();
    throw error;
  }
}

type Begun = Omit<BaseBackup, 'close'>;

async function begin(job: BackupJob, base?: IncrementalBase): Promise<Begun> {
  if (base === undefined) return beginStream(job);
  const { context, session } = job;
  await session.upload('UPLOAD_MANIFEST', base.manifest);
  try {
    return await beginStream(job, base);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.details.sqlState !== NOT_IN_PREREQUISITE_STATE) throw error;
    // That it gave up is told here.
    session.takeNotices();
    context.warn(`The server can make no incremental backup on ${base.backupId} (${error.message}): made a full one.`);
    return beginStream(job);
  }
}

/** The server misses WAL summaries back to the earlier backup, or that is no ancestor of what is there now. */
const NOT_IN_PREREQUISITE_STATE = '55000';

async function beginStream(job: BackupJob, base?: IncrementalBase): Promise<Begun> {
  const { configuration, session, facts } = job;
  const { label, checkpoint, checksums, maxRate } = configuration;
  const command = baseBackupCommand(facts.major, {
    ...{ label, checkpoint, incremental: base !== undefined },
    verifyChecksums: checksums !== 'off',
    ...(maxRate === undefined ? {} : { maxRate }),
  });
  const stream = new BaseBackupStream(session.messages(command), facts.major);
  const { start, totalBytes, tablespaces } = await stream.begin();
  return {
    startLsn: start.lsn,
    totalBytes,
    ...(base === undefined ? {} : { base }),
    receive: async (storing) => {
      const manifest = await receive(stream, storing, job, base !== undefined);
      return { manifest, end: stream.end, tablespaces };
    },
  };
}

/** @returns the manifest of what is stored */
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
