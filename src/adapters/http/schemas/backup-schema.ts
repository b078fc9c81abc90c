import { z } from 'zod';
import { ENTRY_TYPES } from '../../../core/tree-entry.ts';
import { backupType, id, line, partialMetadata, retentionDays, tags } from './fields.ts';

const EXAMPLE_METADATA = {
  version: '1.0',
  source: 'automated',
  tags: { env: 'production', app: 'ecommerce' },
  retentionDays: 30,
};

/** All of `POST /backups` but `data`, whose text goes on without being checked here. */
export const backupEnvelope = z.strictObject({
  resourceId: id,
  resourceType: line(200).optional(),
  type: backupType.optional(),
  metadata: partialMetadata.optional(),
  encrypt: z.boolean().optional(),
});

/** `POST /resources/{id}/backups`: the path names the resource. */
export const resourceBackupEnvelope = backupEnvelope.omit({ resourceId: true });

/** `POST /backups` as it is documented. */
export const backupRequest = backupEnvelope
  .extend({
    resourceType: line(200).optional().describe("A label; default: the resource's."),
    type: backupType.optional().describe('What to make; `full` if not said.'),
    data: z
      .any()
      .optional()
      .describe('The state to keep: any JSON value. Leave it out for resources that Holdfast fetches itself.'),
    metadata: partialMetadata.optional(),
    encrypt: z.boolean().optional().describe('`false` stores it in the clear; for tests only.'),
  })
  .meta({
    examples: [
      {
        resourceId: 'database-1',
        resourceType: 'postgresql',
        type: 'full',
        data: {
          tables: { users: [{ id: 1, name: 'Alice' }], products: [{ id: 1, name: 'Widget' }] },
          schemas: ['public'],
          version: '14.0',
        },
        metadata: EXAMPLE_METADATA,
        encrypt: true,
      },
    ],
  });

export const backupChange = z
  .strictObject({
    held: z.boolean().describe('A held backup is deleted by nobody, expiry included.'),
    retentionDays: retentionDays
      .nullable()
      .describe('Counted from when the backup was made; `null`: it never expires.'),
    tags: tags.describe('Replaces all tags.'),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, 'name at least one of held, retentionDays, tags');

const statistics = z.object({
  sourceBytes: z.number(),
  contentBytes: z.number().optional().describe('Of the whole content, where `size` is that of a delta.'),
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
});

export const backupSchema = z
  .object({
    id: z.string(),
    resourceId: z.string(),
    resourceType: z.string(),
    type: backupType,
    status: z.enum(['completed', 'damaged']),
    size: z.number().describe('Bytes of the content; of the delta, for incremental documents.'),
    compressedSize: z.number().describe('Bytes of it after compression and deduplication.'),
    compressionRatio: z.number().describe('Per cent saved, rounded.'),
    encrypted: z.boolean(),
    checksum: z.string().describe('`sha256:` and hex, of the restored content.'),
    data: z.literal('[REDACTED]'),
    createdAt: z.string(),
    completedAt: z.string(),
    expiresAt: z.string().optional(),
    requestedType: backupType.optional().describe('What was asked for, where something else had to be made.'),
    parentId: z.string().optional(),
    baseFullId: z.string().optional(),
    derivedFrom: z.string().optional().describe('A repair made this backup from what is left of that one.'),
    chainLength: z.number(),
    metadata: z.object({
      version: z.string().optional(),
      source: z.string().optional(),
      tags: z.record(z.string(), z.string()),
      retentionDays: z.number().optional(),
    }),
    warnings: z.array(z.string()),
    warningCount: z.number(),
    statistics,
    service: z.string(),
    contentKind: z.enum(['document', 'stream', 'tree']),
    log: z
      .object({
        from: z.string(),
        to: z.string(),
        facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      })
      .optional()
      .describe("What a piece of a resource's log holds, in the words of the service."),
    external: z
      .object({ id: z.string(), createdAt: z.string(), adoptedAt: z.string(), content: z.string().optional() })
      .optional()
      .describe('Which backup of another tool it was taken from.'),
    held: z.boolean(),
    repositoryId: z.string(),
  })
  .meta({
    id: 'Backup',
    examples: [
      {
        id: 'backup-01K5ZV3T7Q9XK2M4N6P8R0S1T3',
        resourceId: 'database-1',
        resourceType: 'postgresql',
        type: 'full',
        status: 'completed',
        size: 2048,
        compressedSize: 512,
        compressionRatio: 75,
        encrypted: true,
        checksum: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        data: '[REDACTED]',
        createdAt: '2025-01-01T12:00:00.000Z',
        completedAt: '2025-01-01T12:00:05.000Z',
        expiresAt: '2025-01-31T12:00:00.000Z',
        chainLength: 0,
        metadata: EXAMPLE_METADATA,
        warnings: [],
        warningCount: 0,
        statistics: {
          sourceBytes: 2048,
          readBytes: 2048,
          newBytes: 2048,
          storedBytes: 640,
          durationMilliseconds: 5000,
        },
        service: 'document',
        contentKind: 'document',
        held: false,
        repositoryId: 'default',
      },
    ],
  });

/** The answer to an upload of raw bytes. */
export const uploadedBackupSchema = backupSchema
  .extend({ sha256: z.string().describe('Hex SHA-256 of the bytes that arrived.') })
  .meta({ id: 'UploadedBackup' });

export const deletedBackupsSchema = z.object({
  deleted: z.array(z.string()).describe('Ids of all backups that went; they stay in the trash for some days.'),
});

export const validationSchema = z
  .object({
    valid: z.boolean(),
    errors: z.array(z.string()),
    warnings: z.array(z.string()),
    checksumValid: z.boolean(),
    structureValid: z.boolean(),
    dataIntegrity: z.boolean(),
  })
  .meta({
    id: 'ValidationResult',
    examples: [
      {
        valid: true,
        errors: [],
        warnings: ['Backup expires in 5 days'],
        checksumValid: true,
        structureValid: true,
        dataIntegrity: true,
      },
    ],
  });

export const treeEntrySchema = z
  .object({
    path: z.string().describe('Bytes that are not UTF-8 show as U+FFFD; then `pathBase64` holds the exact bytes.'),
    pathBase64: z.string().optional(),
    type: z.enum(ENTRY_TYPES),
    mode: z.string().describe('Octal permission bits.'),
    uid: z.number(),
    gid: z.number(),
    user: z.string().optional(),
    group: z.string().optional(),
    modifiedAt: z.string().describe('RFC 3339 with nanoseconds.'),
    size: z.number().optional(),
    target: z.string().optional(),
  })
  .meta({ id: 'TreeEntry' });
