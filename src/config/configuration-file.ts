import { z } from 'zod';
import { downloadsSchema } from './downloads-schema.ts';
import { hookSchema } from './hook-schema.ts';
import { identitySchema } from './identity-schema.ts';
import { notificationsSchema } from './notification-schema.ts';
import { s3Schema } from './s3-schema.ts';
import { secretReference } from './secret-reference-schema.ts';

const positive = z.number().int().min(1);
const logLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']);

const recurrence = z.strictObject({
  cron: z.string().optional(),
  timeZone: z.string().optional(),
  enabled: z.boolean().optional(),
});

const repository = z.strictObject({
  folder: z.string().min(1).optional(),
  s3: s3Schema.optional(),
  keys: z
    .array(
      z
        .strictObject({ file: z.string().min(1).optional(), passphrase: secretReference.optional() })
        .refine(
          (key) => (key.file === undefined) !== (key.passphrase === undefined),
          'each key is either a file or a passphrase',
        ),
    )
    .optional(),
  cipher: z.enum(['aes-256-gcm', 'aes-256-cbc']).optional(),
  codec: z.enum(['zstd', 'gzip', 'raw']).optional(),
  zstdLevel: z.number().int().min(1).max(19).optional(),
  workers: positive.max(64).optional(),
});

/** `holdfast.yaml`; docs/configuration.md tells what each setting does. */
export const configurationFileSchema = z.strictObject({
  data: z.string().min(1).optional(),
  server: z
    .strictObject({
      host: z.string().min(1).optional(),
      port: z.number().int().min(0).max(65_535).optional(),
      documentLimitBytes: positive.optional(),
      documentDepthLimit: positive.optional(),
      bodyLimitBytes: positive.optional(),
      requestsPerMinute: z.number().int().min(0).optional(),
      maxConcurrentTransfers: positive.optional(),
      allowedHosts: z.array(z.string().min(1)).optional(),
    })
    .optional(),
  repository: repository
    .refine(
      ({ folder, s3 }) => folder === undefined || s3 === undefined,
      'it lies in a folder or in a bucket (s3), not in both',
    )
    .optional(),
  copies: z
    .array(
      repository
        .extend({
          id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'lower-case letters, digits and hyphens'),
          keepForgottenDays: z.union([z.number().int().min(0), z.literal('forever')]).optional(),
        })
        .refine(
          ({ folder, s3 }) => (folder === undefined) !== (s3 === undefined),
          'each copy lies in a folder or in a bucket (s3)',
        ),
    )
    .refine((copies) => new Set(copies.map(({ id }) => id)).size === copies.length, 'each copy has an id of its own')
    .optional(),
  copy: recurrence.optional(),
  hooks: z.array(hookSchema).optional(),
  notifications: notificationsSchema.optional(),
  downloads: downloadsSchema.optional(),
  identity: identitySchema.optional(),
  maxSnapshots: positive.optional(),
  maxChainLength: positive.optional(),
  trashDays: z.number().int().min(0).optional(),
  operationDays: z.number().int().min(1).optional(),
  cleanup: recurrence.optional(),
  prune: recurrence.optional(),
  scrub: recurrence.extend({ fraction: z.number().gt(0).max(1).optional() }).optional(),
  concurrency: positive.max(64).optional(),
  logLevel: logLevel.optional(),
});

export type ConfigurationFile = z.infer<typeof configurationFileSchema>;

export const environmentSchema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  HOST: z.string().optional(),
  HOLDFAST_CONFIG: z.string().optional(),
  HOLDFAST_DATA: z.string().optional(),
  HOLDFAST_REPOSITORY: z.string().optional(),
  HOLDFAST_KEY_FILE: z.string().optional(),
  HOLDFAST_PASSPHRASE: z.string().optional(),
  HOLDFAST_PASSPHRASE_FILE: z.string().optional(),
  HOLDFAST_LOG_LEVEL: logLevel.optional(),
});
