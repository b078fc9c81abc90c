import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';

/** The backup manifest of PostgreSQL (its documentation, chapter "Backup Manifest Format"). */

const file = z.object({
  Path: z.string().optional(),
  'Encoded-Path': z.string().optional(),
  Size: z.int().min(0),
  'Last-Modified': z.string(),
  'Checksum-Algorithm': z.string().optional(),
  Checksum: z.string().optional(),
});

const schema = z.object({
  'PostgreSQL-Backup-Manifest-Version': z.int(),
  Files: z.array(file),
  'WAL-Ranges': z.array(z.object({ Timeline: z.int(), 'Start-LSN': z.string(), 'End-LSN': z.string() })),
  'Manifest-Checksum': z.string(),
});

export type BackupManifest = z.infer<typeof schema>;
export type ManifestFile = z.infer<typeof file>;

/** What came of a file. */
export interface ReceivedFile {
  /** bytes */
  size: number;
  /** CRC-32C */
  checksum: number;
}

export const MANIFEST_PATH = 'backup_manifest';

/** @throws HoldfastError `postgresql-manifest-damaged` (damaged) */
export function parseManifest(text: Buffer): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text.toString());
  } catch {
    throw damaged('it is no JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(`${parsed.error.issues[0]?.path.join('.')} is not as it should be`);
  if (parsed.data['Manifest-Checksum'] !== manifestChecksum(text)) throw damaged('its own checksum is wrong');
  return parsed.data;
}

/** Of all before the last line, which holds the checksum. */
function manifestChecksum(text: Buffer): string {
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  return createHash('sha256').update(text.subarray(0, end)).digest('hex');
}

/** Byte string */
export function manifestPath({ Path, 'Encoded-Path': encoded }: ManifestFile): ByteString {
  if (Path !== undefined) return Buffer.from(Path).toString('latin1');
  return Buffer.from(encoded ?? '', 'hex').toString('latin1');
}

/**
 * Compares what came with what the server says it sent; only WAL is in no manifest.
 * @throws HoldfastError `postgresql-manifest-violated` (damaged) naming the file
 */
export function verifyAgainstManifest(manifest: BackupManifest, received: ReadonlyMap<ByteString, ReceivedFile>): void {
  const listed = new Set<ByteString>();
  for (const each of manifest.Files) {
    const path = manifestPath(each);
    listed.add(path);
    const found = received.get(path);
    if (found === undefined) throw violated(path, 'did not come');
    if (found.size !== each.Size) throw violated(path, `came with ${found.size} bytes instead of ${each.Size}`);
    if (each['Checksum-Algorithm'] !== 'CRC32C') throw damaged(`${path} has no CRC-32C`);
    if (!isChecksum(each.Checksum, found.checksum)) throw violated(path, 'came with other bytes than were sent');
  }
  for (const path of received.keys())
    if (!listed.has(path) && !path.startsWith('pg_wal/')) throw violated(path, 'is not in the backup manifest');
}

/** A CRC-32C as manifests have it: its four bytes as they lie in the memory of a little-endian server. */
export function checksumText(checksum: number): string {
  return bytesOf(checksum).toString('hex');
}

/** Servers on big-endian machines write the bytes in the other order. */
function isChecksum(text: string | undefined, checksum: number): boolean {
  return text === checksumText(checksum) || text === bytesOf(checksum).reverse().toString('hex');
}

function bytesOf(checksum: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(checksum);
  return bytes;
}

/** Writes a manifest as the server does, one file a line, with its checksum. */
export function formatManifest(manifest: Omit<BackupManifest, 'Manifest-Checksum'>, systemIdentifier: string): Buffer {
  const version = manifest['PostgreSQL-Backup-Manifest-Version'];
  const lines = [
    `{ "PostgreSQL-Backup-Manifest-Version": ${version},`,
    ...(version >= 2 ? [`"System-Identifier": ${systemIdentifier},`] : []),
    `"Files": [`,
    ...manifest.Files.map((each, index, all) => JSON.stringify(each) + (index + 1 < all.length ? ',' : '')),
    '],',
    `"WAL-Ranges": [`,
    ...manifest['WAL-Ranges'].map((each, index, all) => JSON.stringify(each) + (index + 1 < all.length ? ',' : '')),
    '],',
  ];
  const text = Buffer.from(`${lines.join('\n')}\n`);
  const checksum = createHash('sha256').update(text).digest('hex');
  return Buffer.concat([text, Buffer.from(`"Manifest-Checksum": "${checksum}"}\n`)]);
}

/** The manifest of files that were read beside the server, as it would have made it. */
export function manifestOf(
  files: Iterable<readonly [ByteString, ReceivedFile & { modifiedAt: bigint }]>,
  { major, systemIdentifier, walRange }: ManifestFacts,
): Buffer {
  const manifest = {
    'PostgreSQL-Backup-Manifest-Version': major >= SYSTEM_IDENTIFIER_SINCE ? 2 : 1,
    Files: Array.from(files, ([path, { size, checksum, modifiedAt }]) => ({
      ...nameOf(path),
      Size: size,
      'Last-Modified': momentText(modifiedAt),
      'Checksum-Algorithm': 'CRC32C',
      Checksum: checksumText(checksum),
    })),
    'WAL-Ranges': [{ Timeline: walRange.timeline, 'Start-LSN': walRange.startLsn, 'End-LSN': walRange.endLsn }],
  };
  return formatManifest(manifest, systemIdentifier);
}

export interface ManifestFacts {
  major: number;
  systemIdentifier: string;
  walRange: { timeline: number; startLsn: string; endLsn: string };
}

const SYSTEM_IDENTIFIER_SINCE = 17;

/** What is no UTF-8 is encoded. */
function nameOf(path: ByteString): Pick<ManifestFile, 'Path' | 'Encoded-Path'> {
  const bytes = Buffer.from(path, 'latin1');
  return isUtf8(bytes) ? { Path: bytes.toString() } : { 'Encoded-Path': bytes.toString('hex') };
}

/** `2026-11-22 21:39:47 GMT` @param moment nanoseconds since 1970 */
function momentText(moment: bigint): string {
  const text = new Date(Number(moment / 1_000_000n)).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} GMT`;
}

function damaged(what: string): HoldfastError {
  const message = `The server's backup manifest is not readable: ${what}. Nothing was backed up; try again.`;
  return new HoldfastError('damaged', 'postgresql-manifest-damaged', message);
}

function violated(path: ByteString, what: string): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `The base backup is not what the server's manifest says: ${name} ${what}. Nothing was backed up; try again, and look at the connection and at the disk of the server.`;
  return new HoldfastError('damaged', 'postgresql-manifest-violated', message, { details: { path: name } });
}
