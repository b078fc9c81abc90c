import { stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { Session } from '../postgresql/session.ts';
import { manifestOf, parseManifest, verifyAgainstManifest } from './backup-manifest.ts';
import type { BackupJob, BaseBackup, ReceivedBaseBackup } from './base-backup.ts';
import type { ClusterStoring, FoundFile } from './cluster-storing.ts';
import { type DataFolderFile, type DataFolderFindings, dataFolderFiles } from './data-folder-files.ts';
import { foundBy, metadataOf, openedFile, unlessAbsent } from './found-file.ts';
import { holdWal, SlotUse, slotIn } from './held-wal.ts';
import { CONTROL_PATH, readControlFile, unreadable, verifyCheckpointIn, verifyRunsIn } from './live-folder.ts';
import { takeLog } from './log-of-backup.ts';
import { OnlineBackup, type OnlineBackupEnd } from './online-backup.ts';
import type { DatabaseSizes } from './server-look.ts';
import { LABEL_PATH } from './synthetic-full.ts';
import { formatLsn, parseLsn } from './wal-position.ts';

/**
 * Begins a base backup whose files are read here, by the worker threads, in the data folder of a server of this machine, while it runs ("low
 * level" in PostgreSQL's documentation, 25.3.4): the server only tells begin and end.
 *
 * @throws HoldfastError `postgresql-other-folder`, `postgresql-standby` (conflict), `postgresql-folder-unreadable` (unavailable or denied),
 * `postgresql-backup-refused` (denied), and those of sessions
 */
export async function beginFolderBackup(
  job: BackupJob,
  folder: string,
  sizes: DatabaseSizes | undefined,
): Promise<BaseBackup> {
  const { connection, configuration, context, facts } = job;
  const session = await Session.open(connection, connection.database, context.signal);
  let use: SlotUse | undefined;
  const close = async (): Promise<void> => {
    use?.stop();
    await session.close();
  };
  try {
    const startedAt = await OnlineBackup.serverStart(session);
    const control = await verifyRunsIn(folder, { systemIdentifier: facts.systemIdentifier, startedAt });
    // In this session, which no time-out for idle ones ends.
    const slot = await holdWal(job, slotIn(session));
    const online = await OnlineBackup.begin(session, facts.major, configuration);
    use = slot === undefined ? undefined : new SlotUse(session, slot);
    const begun: BegunBackup = {
      startLsn: online.startLsn,
      end: () => use?.pause(() => online.end()) ?? online.end(),
      verifyRuns: () => use?.verify(),
    };
    await verifyCheckpointIn(folder, online.startLsn);
    const tablespaceVersion = `PG_${facts.major}_${control.catalogVersion}`;
    const files = new FolderFiles(job, folder, tablespaceVersion);
    return {
      startLsn: online.startLsn,
      totalBytes: (sizes?.databases ?? []).reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
      receive: (storing) => files.receive(begun, storing),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface BegunBackup extends Pick<OnlineBackup, 'startLsn' | 'end'> {
  /** Throws where the server is known to have given it up: the hours of reading on would be in vain. */
  verifyRuns(): void;
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

  async receive(online: BegunBackup, storing: ClusterStoring): Promise<ReceivedBaseBackup> {
    try {
      return await this.#receive(online, storing);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async #receive(online: BegunBackup, storing: ClusterStoring): Promise<ReceivedBaseBackup> {
    const { configuration, context } = this.#job;
    await this.#takeAll(online, storing);
    await storing.settleContents();
    if (configuration.checksums === 'fail') storing.refuseWrongPages();
    for (const warning of storing.wrongPageWarnings()) context.warn(warning);
    for (const special of this.#findings.special)
      context.warn(`${textOf(special)} is no file and no folder, and is not in the backup.`);
    // Recovery begins where it says, so it must not be older than any page.
    const control = await this.#take(storing, CONTROL_PATH, (await readControlFile(this.#folder)).bytes);
    const end = await online.end();
    await this.#take(storing, LABEL_PATH, end.label, control);
    const log = { startLsn: online.startLsn, end, walSegmentBytes: this.#job.facts.walSegmentBytes };
    await takeLog({ folder: path.join(this.#folder, 'pg_wal'), ...log, metadata: control }, storing);
    const manifest = this.#manifest(online.startLsn, end, storing);
    verifyAgainstManifest(parseManifest(manifest), storing.received);
    return { manifest, end, tablespaces: this.#findings.tablespaces };
  }

  async #takeAll(online: BegunBackup, storing: ClusterStoring): Promise<void> {
    const walk = { folder: this.#folder, tablespaceVersion: this.#tablespaceVersion };
    for await (const file of dataFolderFiles(walk, this.#findings)) {
      await this.#takeFound(file, storing);
      online.verifyRuns();
    }
  }

  async #takeFound({ path, place, kind }: DataFolderFile, storing: ClusterStoring): Promise<void> {
    if (kind === 'directory') {
      const found = await stat(place).catch(unlessAbsent);
      if (found !== undefined) await storing.takeFolder(path, metadataOf(found));
      return;
    }
    // One that was removed meanwhile: WAL says so too.
    const handle = await openedFile(place);
    if (handle === undefined) return;
    const found = await foundBy(handle);
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

function textOf(name: ByteString): string {
  return Buffer.from(name, 'latin1').toString();
}
