import { z } from 'zod';
import { secretReference } from './secret-reference-schema.ts';

const PREFIX_RULE = 'names of letters, digits, dots, underscores and hyphens, with slashes between them';

/** `repository.s3` and `copies[].s3`; docs/s3.md tells what each setting does. */
export const s3Schema = z.strictObject({
  bucket: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, 'the name of a bucket, without s3:// and without a path'),
  prefix: z
    .string()
    .regex(/^\/*(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*\/*$/, PREFIX_RULE)
    .optional(),
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^/?#@]+\/?$/, 'the URL of a server alone, such as https://minio.example:9000')
    .optional(),
  region: z.string().min(1).optional(),
  pathStyle: z.boolean().optional(),
  accessKeyId: secretReference.optional(),
  secretAccessKey: secretReference.optional(),
  sessionToken: secretReference.optional(),
  caFile: z.string().min(1).optional(),
  verifyTls: z.boolean().optional(),
  uploadChecksums: z.boolean().optional(),
  sockets: z.number().int().min(1).max(1024).optional(),
});

export type S3Settings = z.infer<typeof s3Schema>;
