import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { crc32c } from './crc32c.ts';
import { parseLsn } from './wal-position.ts';

/** What `global/pg_control` of a cluster says, of PostgreSQL 13 and later (src/include/catalog/pg_control.h). */
export interface ControlFile {
  /** As it lies on the disk. */
  bytes: Buffer;
  systemIdentifier: string;
  catalogVersion: number;
  /** LSN from which recovery would begin */
  redo: bigint;
}

export const CONTROL_PATH = 'global/pg_control';

/**
 * Reads it while the server may be writing it: until two reads give the same, whose checksum is right.
 * @throws HoldfastError `postgresql-folder-unreadable` (unavailable, or denied where rights are missing)
 */
export async function readControlFile(folder: string): Promise<ControlFile> {
  const file = path.join(folder, CONTROL_PATH);
  let bytes = await readIn(folder, file);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    await delay(PAUSE_MILLISECONDS);
    const again = await readIn(folder, file);
    if (again.equals(bytes) && isWhole(again))
      return {
        bytes,
        systemIdentifier: String(bytes.readBigUInt64LE(SYSTEM_IDENTIFIER_AT)),
        catalogVersion: bytes.readUInt32LE(CATALOG_VERSION_AT),
        redo: bytes.readBigUInt64LE(REDO_AT),
      };
    bytes = again;
  }
  throw unreadable(folder, `${CONTROL_PATH} is damaged, or changes all the time`);
}

/** The CRC-32C of all before it is the last of its fields, whose place differs between versions; only zeros follow. */
function isWhole(bytes: Buffer): boolean {
  if (bytes.length < LEAST_BYTES) return false;
  for (let at = REDO_AT + 8; at < LEAST_BYTES; at += 4)
    if (bytes.readUInt32LE(at) === crc32c(bytes.subarray(0, at))) return true;
  return false;
}

/** What a server says of itself, to be held against a folder. */
export interface RunningServer {
  systemIdentifier: string;
  /** Seconds since 1970. */
  startedAt: number;
}

/**
 * Refuses a folder that is not the one in which the server runs at this moment: another cluster's, a copy, or a standby's.
 * @throws HoldfastError `postgresql-other-folder` (conflict), `postgresql-folder-unreadable` (unavailable, or denied where rights are missing)
 */
export async function verifyRunsIn(folder: string, server: RunningServer): Promise<ControlFile> {
  const control = await readControlFile(folder);
  if (control.systemIdentifier !== server.systemIdentifier)
    throw otherFolder(folder, `is another cluster's (system identifier ${control.systemIdentifier})`);
  const [, , startedAt = ''] = (await readIn(folder, path.join(folder, 'postmaster.pid'))).toString().split('\n');
  // The server takes down both moments within one start, which a slow look-up of its addresses or much memory may draw out.
  if (!/^\d+$/.test(startedAt) || Math.abs(Number(startedAt) - server.startedAt) > MOST_SECONDS_APART)
    throw otherFolder(folder, 'is of another run of a server (postmaster.pid has another time)');
  return control;
}

/** Whether a checkpoint that the server says it has made shows in the folder. @throws HoldfastError `postgresql-other-folder` */
export async function verifyCheckpointIn(folder: string, startLsn: string): Promise<void> {
  const { redo } = await readControlFile(folder);
  if (redo < parseLsn(startLsn))
    throw otherFolder(folder, 'does not show the checkpoint that the server has just made');
}

async function readIn(folder: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw unreadable(folder, messageOf(cause), cause);
  }
}

export function unreadable(folder: string, why: string, cause?: unknown): HoldfastError {
  const message = `The server's files in ${folder} cannot be read here: ${why}. Holdfast must run on the server's machine, as root or as the account that the server runs as, or in a group that may read (initdb --allow-group-access); otherwise set \`transfer: replication\`. Nothing was backed up.`;
  const code = systemErrorCode(cause);
  // Trying again would give no right.
  const kind = code === 'EACCES' || code === 'EPERM' ? 'denied' : 'unavailable';
  return new HoldfastError(kind, 'postgresql-folder-unreadable', message, { cause });
}

function otherFolder(folder: string, what: string): HoldfastError {
  const message = `The folder ${folder} is not the one that the server of \`connection\` works in: it ${what}. Set \`dataFolder\` to what SHOW data_directory says there, as this machine sees it, or \`transfer: replication\`. Nothing was backed up.`;
  return new HoldfastError('conflict', 'postgresql-other-folder', message);
}

const SYSTEM_IDENTIFIER_AT = 0;
const CATALOG_VERSION_AT = 12;
const REDO_AT = 40;
const LEAST_BYTES = 512;
const MOST_ATTEMPTS = 50;
const PAUSE_MILLISECONDS = 5;
const MOST_SECONDS_APART = 60;
