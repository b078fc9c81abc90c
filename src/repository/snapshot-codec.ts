import { z } from 'zod';
import { BACKUP_TYPES, type Backup } from '../core/backup.ts';
import { DOWNLOAD_FORMATS } from '../core/download-format.ts';
import { HoldfastError } from '../core/errors.ts';
import { listOf } from '../core/list-schema.ts';
import type { SnapshotRecord, SnapshotRoot } from '../core/snapshot-record.ts';
import { decodeLostEntries, encodeLostEntries } from './lost-entries.ts';
import { decodeMetadata, encodeMetadata, refuseNewerVersion } from './metadata-encoding.ts';
import { decodeContent, encodeContent } from './tree-entry-codec.ts';

const tags = z.record(z.string(), z.string());
const variantSource = {
  sourceId: z.string(),
  format: z.enum(DOWNLOAD_FORMATS),
  database: z.string().optional(),
};
const backupSchema = z.object({
  id: z.string(),
  resourceId: z.string(),
  resourceType: z.string(),
  service: z.string(),
  type: z.enum(BACKUP_TYPES),
  requestedType: z.enum(BACKUP_TYPES).optional(),
  status: z.enum(['completed', 'damaged']),
  contentKind: z.enum(['document', 'stream', 'tree']),
  size: z.number(),
  compressedSize: z.number(),
  encrypted: z.boolean(),
  checksum: z.string(),
  parentId: z.string().optional(),
  baseFullId: z.string().optional(),
  derivedFrom: z.string().optional(),
  chainLength: z.number(),
  metadata: z.object({
    version: z.string().optional(),
    source: z.string().optional(),
    tags,
    retentionDays: z.number().optional(),
  }),
  warnings: listOf(z.string()),
  warningCount: z.number(),
  statistics: z.object({
    sourceBytes: z.number(),
    contentBytes: z.number().optional(),
    readBytes: z.number(),
    newBytes: z.number(),
    storedBytes: z.number(),
    durationMilliseconds: z.number(),
    files: z
      .object({
        total: z.number(),
        new: z.number(),
        changed: z.number(),
        unmodified: z.number(),
        directories: z.number(),
        other: z.number(),
      })
      .optional(),
  }),
  repositoryId: z.string(),
  createdAt: z.string(),
  completedAt: z.string(),
  expiresAt: z.string().optional(),
  external: z
    .object({ id: z.string(), createdAt: z.string(), adoptedAt: z.string(), content: z.string().optional() })
    .optional(),
  log: z
    .object({
      from: z.string(),
      to: z.string(),
      facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    })
    .optional(),
  variant: z
    .object({
      ...variantSource,
      name: z.string(),
      policyHash: z.string(),
      epoch: z.string(),
      fingerprint: z.string(),
      dialect: z.enum(['postgresql', 'mysql']).optional(),
      mediaType: z.string(),
      fileExtension: z.string(),
      isReproducible: z.boolean(),
      report: z.object({
        tables: listOf(z.object({ name: z.string(), rowsIn: z.number(), rowsOut: z.number() })),
        canary: z.object({ looked: z.number(), originals: z.number() }),
      }),
    })
    .optional(),
  sidecar: z.object({ ...variantSource, name: z.string() }).optional(),
  held: z.boolean(),
});

const snapshotSchema = z.object({
  version: z.literal(1),
  /** Round of collection that the writer had seen; see `CollectionState.base`. */
  base: z.number().int().min(0),
  backup: backupSchema,
  root: z.record(z.string(), z.unknown()),
  serviceData: z.record(z.string(), z.unknown()),
});

const updateSchema = z.object({
  version: z.literal(1),
  held: z.boolean(),
  expiresAt: z.string().optional(),
  metadata: backupSchema.shape.metadata,
  status: backupSchema.shape.status,
});

export interface StoredSnapshot {
  record: SnapshotRecord;
  base: number;
}

/** The plain bytes of a snapshot object. */
export function encodeSnapshot(record: SnapshotRecord, base: number): Uint8Array {
  const { kind, length, content } = record.root;
  const entries = record.root.kind === 'tree' ? record.root.entries : undefined;
  return encodeMetadata({
    version: 1,
    base,
    backup: record.backup,
    root: { kind, length, entries, ...encodeContent(content), ...encodeLostEntries(record.root) },
    serviceData: record.serviceData,
  });
}

/** @throws HoldfastError `object-damaged` */
export function decodeSnapshot(plain: Uint8Array, name: string): StoredSnapshot {
  const decoded = decodeMetadata(plain);
  refuseNewerVersion(decoded, name);
  const parsed = snapshotSchema.safeParse(decoded);
  if (!parsed.success) throw malformed(name, parsed.error);
  const { base, backup, root, serviceData } = parsed.data;
  return { base, record: { backup: backup as Backup, root: toRoot(root, name), serviceData } };
}

function toRoot(map: Readonly<Record<string, unknown>>, name: string): SnapshotRoot {
  const content = decodeContent(map);
  const { kind, length, entries } = map;
  if (content === undefined || typeof length !== 'number') throw malformed(name);
  if (kind === 'stream') return { kind, length, content };
  if (kind === 'tree' && typeof entries === 'number')
    return { kind, length, entries, content, ...decodeLostEntries(map, name) };
  throw malformed(name);
}

/** The plain bytes of an update: what may change of a backup. */
export function encodeUpdate({ held, expiresAt, metadata, status }: Backup): Uint8Array {
  return encodeMetadata({ version: 1, held, expiresAt, metadata, status });
}

/** @returns a record with what an update changed of it @throws HoldfastError `object-damaged` */
export function withUpdate(record: SnapshotRecord, plain: Uint8Array, name: string): SnapshotRecord {
  const decoded = decodeMetadata(plain);
  refuseNewerVersion(decoded, name);
  const update = updateSchema.safeParse(decoded);
  if (!update.success) throw malformed(name, update.error);
  const { held, expiresAt, metadata, status } = update.data;
  const { expiresAt: _old, ...backup } = record.backup;
  return {
    ...record,
    backup: { ...backup, held, metadata, status, ...(expiresAt === undefined ? {} : { expiresAt }) },
  };
}

/** What an object is that does not hold what its name says. */
export function malformed(name: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'object-damaged',
    `${name} does not hold a snapshot's record. Run \`holdfast verify\`.`,
    { cause, details: { object: name } },
  );
}
