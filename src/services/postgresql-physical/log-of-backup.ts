import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { BackupPosition } from './base-backup-stream.ts';
import type { ClusterStoring, FoundFile } from './cluster-storing.ts';
import { foundBy, openedFile } from './found-file.ts';
import { kindOfWalFile, parseLsn, segmentName, startOfSegment } from './wal-position.ts';

export interface LogOfBackup {
  /** `pg_wal` */
  folder: string;
  startLsn: string;
  end: BackupPosition;
  walSegmentBytes: number;
  /** Of the marks that nothing is to be archived. */
  metadata: FoundFile['metadata'];
}

/**
 * Stores the WAL from begin to end, the histories of timelines that there are (a cluster that pg_resetwal put on a timeline has none), and
 * what keeps a restored server from archiving them again.
 *
 * @throws HoldfastError `postgresql-wal-removed` (unavailable) naming the file
 */
export async function takeLog(
  { folder, metadata, ...range }: LogOfBackup,
  storing: Pick<ClusterStoring, 'takeOpened' | 'takeBytes' | 'settleContents' | 'received'>,
): Promise<void> {
  const segments = segmentsOf(range);
  const histories = (await readdir(folder)).filter((name) => kindOfWalFile(name) === 'history').sort();
  for (const name of [...histories, ...segments]) {
    const handle = await openedFile(path.join(folder, name));
    if (handle === undefined) throw walRemoved(name);
    await storing.takeOpened(`pg_wal/${name}`, handle, await foundBy(handle));
    await storing.takeBytes(`pg_wal/archive_status/${name}.done`, Buffer.alloc(0), metadata);
  }
  await storing.settleContents();
  // A segment that the server uses again gets its new name first and new bytes then: one that has its name still was read unchanged.
  const left = new Set(await readdir(folder));
  for (const name of segments)
    if (!left.has(name) || storing.received.get(`pg_wal/${name}`)?.size !== range.walSegmentBytes)
      throw walRemoved(name);
}

function segmentsOf({ startLsn, end, walSegmentBytes }: Pick<LogOfBackup, 'startLsn' | 'end' | 'walSegmentBytes'>) {
  const names: string[] = [];
  // A backup that ends where a segment does needs nothing of the next one.
  const last = parseLsn(end.lsn) - 1n;
  for (let at = startOfSegment(parseLsn(startLsn), walSegmentBytes); at <= last; at += BigInt(walSegmentBytes))
    names.push(segmentName(end.timeline, at, walSegmentBytes));
  return names;
}

function walRemoved(name: string): HoldfastError {
  const message = `The server removed WAL that the backup needs while it ran (${name}). Raise \`wal_keep_size\`, or free a replication slot for the backup, and try again. Nothing was backed up.`;
  return new HoldfastError('unavailable', 'postgresql-wal-removed', message, { details: { file: name } });
}
