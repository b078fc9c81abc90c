import { z } from 'zod';
import { definedOnly } from './defined-only.ts';
import { parseFieldPath } from './finding/field-path.ts';
import { NamePattern } from './finding/name-pattern.ts';
import { absoluteFile, secretReference, serverUrl } from './setting-schemas.ts';

const fieldName = z
  .string()
  .refine((text) => parseFieldPath(text) !== undefined, 'must name a field, such as stats.dumpedfiles[0]');

/** Where the two shapes of documents that are known keep what is needed; each name may be changed. */
const SHAPES = {
  backups: { id: 'source.id.keyword', time: '@timestamp', url: 'stats.dumpedfiles[0]' },
  runs: { id: 'job_name.keyword', time: 'end_time', url: 'object_url', size: 'bytes_backed_up' },
} as const;

const elasticsearch = z
  .strictObject({
    kind: z.literal('elasticsearch'),
    /** Asked in turn until one answers. */
    hosts: z.array(serverUrl).min(1),
    index: z.string().min(1).default('backups-*'),
    /** What the tool calls what it backs up. */
    id: z.string().min(1),
    /** `backups`: one document for each backup. `runs`: one for each run of a job, with its status. */
    shape: z.enum(['backups', 'runs']).default('backups'),
    fields: z
      .strictObject({
        id: fieldName.optional(),
        time: fieldName.optional(),
        url: fieldName.optional(),
        size: fieldName.optional(),
      })
      .default({}),
    /** Only documents that have one of these values there. */
    status: z.strictObject({ field: fieldName, values: z.array(z.string()).min(1) }).optional(),
    authentication: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('basic'), user: z.string().min(1), password: secretReference }),
        z.strictObject({ kind: z.literal('apiKey'), key: secretReference }),
      ])
      .optional(),
    caFile: absoluteFile.optional(),
    timeoutSeconds: z.number().min(1).max(600).default(15),
  })
  .transform(({ shape, fields, status, ...rest }) => ({
    ...rest,
    fields: { ...SHAPES[shape], ...definedOnly(fields) } as FieldNames,
    ...(status === undefined && shape === 'runs' ? { status: FINISHED_RUNS } : {}),
    ...(status === undefined ? {} : { status }),
  }));

const FINISHED_RUNS = { field: 'status.keyword', values: ['success', 'completed', 'succeeded'] };

interface FieldNames {
  id: string;
  time: string;
  url: string;
  size?: string;
}

const listing = z
  .strictObject({
    kind: z.literal('listing'),
    /** What all keys begin with; patterns go on from there. */
    prefix: z.string().default(''),
    /** Of names, with the time in them; of equal backups, one that an earlier pattern matches counts. */
    patterns: z.array(z.string().min(1)).min(1).max(50),
    /** Of whoever wrote the names. */
    timeZone: z.string().min(1).default('UTC'),
    /** In gitignore syntax: what is no finished backup. */
    ignore: z.array(z.string()).default([]),
    /** An object that was changed later may still grow. Default: 0 in a bucket, where objects appear whole; 60 in a folder. */
    minimumAgeSeconds: z.number().min(0).max(604_800).optional(),
  })
  .check(({ value, issues }) => {
    for (const [index, pattern] of value.patterns.entries()) {
      try {
        new NamePattern(pattern, value.timeZone);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        issues.push({ code: 'custom', input: value, path: ['patterns', index], message });
      }
    }
  });

const restic = z.strictObject({
  kind: z.literal('restic'),
  /** As restic takes it; the password of the repository is the `passphrase`. */
  repository: z
    .string()
    .min(1)
    .refine((text) => !/:\/\/[^/]*:[^/]*@/.test(text), 'must not hold a password: `credentials` take references'),
  /** Of the storage, by the names of restic's variables: `AWS_ACCESS_KEY_ID` … */
  credentials: z.record(z.string(), secretReference).default({}),
  /** Only snapshots of this host, with all of these tags and paths. */
  host: z.string().min(1).optional(),
  tags: z.array(z.string().min(1)).default([]),
  paths: z.array(z.string().min(1)).default([]),
  /** What is given of a snapshot: a file as its bytes, a folder as a tar archive. */
  path: z.string().startsWith('/', 'must be a path from the root of the snapshot').default('/'),
  /** Where restic may keep what it has learned of the repository. */
  cacheFolder: absoluteFile.optional(),
});

export const sourceSchema = z.discriminatedUnion('kind', [elasticsearch, listing, restic]);

export const objectsSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('s3'),
      bucket: z.string().min(1),
      endpoint: serverUrl.optional(),
      region: z.string().min(1).optional(),
      pathStyle: z.boolean().optional(),
      accessKeyId: secretReference.optional(),
      secretAccessKey: secretReference.optional(),
      sessionToken: secretReference.optional(),
      caFile: absoluteFile.optional(),
    })
    .transform(definedOnly),
  z.strictObject({
    kind: z.literal('folder'),
    folder: absoluteFile,
  }),
]);

export type ElasticsearchConfiguration = Extract<z.output<typeof sourceSchema>, { kind: 'elasticsearch' }>;
export type ResticConfiguration = Extract<z.output<typeof sourceSchema>, { kind: 'restic' }>;
export type ListingConfiguration = Extract<z.output<typeof sourceSchema>, { kind: 'listing' }> & {
  minimumAgeSeconds: number;
};
export type ObjectsConfiguration = z.output<typeof objectsSchema>;
export type BucketConfiguration = Extract<ObjectsConfiguration, { kind: 's3' }>;
