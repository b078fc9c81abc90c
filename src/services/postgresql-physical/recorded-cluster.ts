import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';

const schema = z.object({
  format: z.literal(1),
  /** Of the cluster, as `IDENTIFY_SYSTEM` gives it: 64 bits, decimal. */
  systemIdentifier: z.string(),
  serverVersion: z.string(),
  major: z.int(),
  timeline: z.int(),
  startLsn: z.string(),
  stopLsn: z.string(),
  /** RFC 3339; by the server's clock where `databases` could be read, else by this machine's. */
  startedAt: z.string(),
  /** A moment right after the backup's end: it restores to any moment from then on. */
  stoppedAt: z.string(),
  pageBytes: z.int(),
  segmentBytes: z.int(),
  walSegmentBytes: z.int(),
  dataChecksums: z.boolean(),
  /** Those outside of the data folder; their files are in the tree below `pg_tblspc/OID`. */
  tablespaces: z.array(z.object({ oid: z.string(), location: z.string() })),
  files: z.int(),
  /** Absent where the role may not look. */
  databases: z.array(z.object({ name: z.string(), oid: z.string(), bytes: z.number().nullable() })).optional(),
  /** SHA-256 of the manifest, hex. */
  manifestSha256: z.string(),
});

/** What a backup records of the cluster that it is of. */
export type RecordedCluster = z.infer<typeof schema>;

/** @throws HoldfastError `postgresql-record-damaged` (damaged), `postgresql-record-newer` (unsupported) */
export function recordedCluster(serviceData: Readonly<Record<string, unknown>>, backupId: string): RecordedCluster {
  const parsed = schema.safeParse(serviceData);
  if (parsed.success) return parsed.data;
  if (Number(serviceData.format) > 1) {
    const message = `${backupId} was made by a newer Holdfast. Restore it with that version.`;
    throw new HoldfastError('unsupported', 'postgresql-record-newer', message);
  }
  const message = `What ${backupId} records of its cluster is not readable. Restore another backup, and verify this one.`;
  throw new HoldfastError('damaged', 'postgresql-record-damaged', message);
}
