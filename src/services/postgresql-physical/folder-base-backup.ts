import { constants } from 'node:fs';
import { type FileHandle, type lstat, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { Session } from '../postgresql/session.ts';
import { manifestOf, parseManifest, verifyAgainstManifest } from './backup-manifest.ts';
import type { BackupJob, BaseBackup, ReceivedBaseBackup } from './base-backup.ts';
import type { ClusterStoring, FoundFile } from './cluster-storing.ts';
import { type DataFolderFile, type DataFolderFindings, dataFolderFiles } from './data-folder-files.ts';
import { holdWal } from './held-wal.ts';
import { CONTROL_PATH, readControlFile, unreadable, verifyCheckpointIn, verifyRunsIn } from './live-folder.ts';
import { OnlineBackup, type OnlineBackupEnd } from './online-backup.ts';
import type { DatabaseSizes } from './server-look.ts';
import { LABEL_PATH } from './synthetic-full.ts';
import { formatLsn, historyName, kindOfWalFile, parseLsn, segmentName, startOfSegment } from './wal-position.ts';

/**
 * Begins a base backup whose files are read here, by the worker threads, in the data folder of a server of this machine, while it runs ("low
 * level" in PostgreSQL's documentation, 25.3.4): the server only tells begin and end.
 *
 * @throws HoldfastError `postgresql-other-folder`, `postgresql-standby` (conflict), `postgresql-folder-unreadable` (unavailable),
 * `postgresql-backup-refused` (denied), and those of sessions
 */
export async function beginFolderBackup(
  job: BackupJob,
  folder: string,
  sizes: DatabaseSizes | undefined,
): Promise<BaseBackup> {
  const { connection, configuration, context, facts } = job;
  const session = await Session.open(connection, connection.database, context.signal);
  try {
    const startedAt = await OnlineBackup.serverStart(session);
    const control = await verifyRunsIn(folder, { systemIdentifier: facts.systemIdentifier, startedAt });
    // In this session, which no time-out for idle ones ends.
    await holdWal(job, (slot) => session.run(`SELECT pg_create_physical_replication_slot('${slot}', true, true)`));
    const online = await OnlineBackup.begin(session, facts.major, configuration);
    await verifyCheckpointIn(folder, online.startLsn);
    const tablespaceVersion = `PG_${facts.major}_${control.catalogVersion}`;
    const files = new FolderFiles(job, folder, tablespaceVersion);
    return {
      startLsn: online.startLsn,
      totalBytes: (sizes?.databases ?? []).reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
      receive: (storing) => files.receive(online, storing),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The files of one backup, on their way from the folder to the repository. */
class FolderFiles {
  readonly #job: BackupJob;
  readonly #folder: string;
  readonly #tablespaceVersion: string;
  readonly #findings: DataFolderFindings = { tablespaces: [], special: [] };
  readonly #modified = new Map<ByteString, bigint>();

  constructor(job: BackupJob, folder: string, tablespaceVersion: string) {
    this.#job = job;
    this.#folder = folder;
    this.#tablespaceVersion = tablespaceVersion;
  }

  async receive(online: OnlineBackup, storing: ClusterStoring): Promise<ReceivedBaseBackup> {
    const { configuration, context } = this.#job;
    await this.#takeAll(storing);
    await storing.settleContents();
    if (configuration.checksums === 'fail') storing.refuseWrongPages();
    for (const warning of storing.wrongPageWarnings()) context.warn(warning);
    for (const special of this.#findings.special)
      context.warn(`${textOf(special)} is no file and no folder, and is not in the backup.`);
    // Recovery begins where it says, so it must not be older than any page.
    const control = await this.#take(storing, CONTROL_PATH, (await readControlFile(this.#folder)).bytes);
    const end = await online.end();
    await this.#take(storing, LABEL_PATH, end.label, control);
    await this.#takeLog(online.startLsn, end, control, storing);
    await storing.settleContents();
    this.#verifyLog(storing);
    const manifest = this.#manifest(online.startLsn, end, storing);
    verifyAgainstManifest(parseManifest(manifest), storing.received);
    return { manifest, end, tablespaces: this.#findings.tablespaces };
  }

  async #takeAll(storing: ClusterStoring): Promise<void> {
    const walk = { folder: this.#folder, tablespaceVersion: this.#tablespaceVersion };
    try {
      for await (const file of dataFolderFiles(walk, this.#findings)) await this.#takeFound(file, storing);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async #takeFound({ path, place, kind }: DataFolderFile, storing: ClusterStoring): Promise<void> {
    if (kind === 'directory') {
      const found = await stat(place).catch(unlessAbsent);
      if (found !== undefined) await storing.takeFolder(path, metadataOf(found));
      return;
    }
    const handle = await openedFile(place);
    if (handle !== undefined) await this.#takeOpened(path, handle, storing);
  }

  async #takeOpened(path: ByteString, handle: FileHandle, storing: ClusterStoring): Promise<void> {
    let found: Awaited<ReturnType<typeof foundBy>>;
    try {
      found = await foundBy(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#modified.set(path, found.metadata.modifiedAt);
    await storing.takeOpened(path, handle, found);
  }

  /** @returns what was given or found of the file that has this name in the folder */
  async #take(
    storing: ClusterStoring,
    name: ByteString,
    bytes: Buffer,
    given?: FoundFile['metadata'],
  ): Promise<FoundFile['metadata']> {
    const metadata = given ?? metadataOf(await stat(path.join(this.#folder, name)));
    this.#modified.set(name, metadata.modifiedAt);
    await storing.takeBytes(name, bytes, metadata);
    return metadata;
  }

  /** The WAL from begin to end, histories of timelines, and what keeps a restored server from archiving them again. */
  async #takeLog(
    startLsn: string,
    { lsn, timeline }: OnlineBackupEnd,
    metadata: FoundFile['metadata'],
    storing: ClusterStoring,
  ): Promise<void> {
    const { walSegmentBytes } = this.#job.facts;
    const folder = path.join(this.#folder, 'pg_wal');
    const names = (await readdir(folder)).filter((name) => kindOfWalFile(name) === 'history').sort();
    if (timeline > 1 && !names.includes(historyName(timeline))) throw walRemoved(historyName(timeline));
    const last = parseLsn(lsn) - 1n;
    const step = BigInt(walSegmentBytes);
    for (let at = startOfSegment(parseLsn(startLsn), walSegmentBytes); at <= last; at += step)
      names.push(segmentName(timeline, at, walSegmentBytes));
    for (const name of names) {
      const handle = await openedFile(Buffer.from(path.join(folder, name)));
      if (handle === undefined) throw walRemoved(name);
      await this.#takeOpened(`pg_wal/${name}`, handle, storing);
      await storing.takeBytes(`pg_wal/archive_status/${name}.done`, Buffer.alloc(0), metadata);
    }
  }

  /** The manifest does not list them. */
  #verifyLog({ received }: ClusterStoring): void {
    const { walSegmentBytes } = this.#job.facts;
    for (const [path, { size }] of received)
      if (/^pg_wal\/[0-9A-F]{24}$/.test(path) && size !== walSegmentBytes) throw walRemoved(path);
  }

  /** Of all but WAL. */
  #manifest(startLsn: string, { lsn, timeline }: OnlineBackupEnd, storing: ClusterStoring): Buffer {
    const { major, systemIdentifier } = this.#job.facts;
    const files = [...storing.received]
      .filter(([path]) => !path.startsWith('pg_wal/'))
      .map(([path, stored]) => [path, { ...stored, modifiedAt: this.#modified.get(path) ?? 0n }] as const);
    const walRange = { timeline, startLsn, endLsn: formatLsn(parseLsn(lsn)) };
    return manifestOf(files, { major, systemIdentifier, walRange });
  }

  #explained(error: unknown): unknown {
    const code = systemErrorCode(error);
    return code === 'EACCES' || code === 'EPERM' ? unreadable(this.#folder, messageOf(error), error) : error;
  }
}

/** Undefined where it was removed meanwhile: WAL says so too. Links are not followed, and pipes not waited for. */
async function openedFile(place: Buffer): Promise<FileHandle | undefined> {
  return open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(unlessAbsent);
}

async function foundBy(handle: FileHandle): Promise<FoundFile> {
  const found = await handle.stat();
  return { size: found.size, metadata: metadataOf(found) };
}

function metadataOf({ mode, uid, gid, mtimeMs }: Awaited<ReturnType<typeof lstat>> & { mtimeMs: number }) {
  return {
    mode: Number(mode) & 0o7777,
    uid: Number(uid),
    gid: Number(gid),
    // Whole seconds, as the server gives them.
    modifiedAt: BigInt(Math.floor(mtimeMs / 1000)) * 1_000_000_000n,
  };
}

function unlessAbsent(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}

function textOf(name: ByteString): string {
  return Buffer.from(name, 'latin1').toString();
}

function walRemoved(name: string): HoldfastError {
  const message = `The server removed WAL that the backup needs while it ran (${name}). Raise \`wal_keep_size\`, or free a replication slot for the backup, and try again. Nothing was backed up.`;
  return new HoldfastError('unavailable', 'postgresql-wal-removed', message, { details: { file: name } });
}
