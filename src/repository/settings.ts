import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';

/** The newest repository format that this code reads and writes; see docs/repository-format.md. */
export const FORMAT_VERSION = 1;

const chunkSizeFields = z.object({
  minimum: z.number().int().min(64),
  average: z.number().int().min(256),
  maximum: z
    .number()
    .int()
    .max(16 * 1024 * 1024),
});

const areOrdered = (sizes: { minimum: number; average: number; maximum: number }): boolean =>
  sizes.minimum < sizes.average && sizes.average < sizes.maximum;
const ORDER = 'minimum, average and maximum must grow';
const chunkSizes = chunkSizeFields.refine(areOrdered, ORDER);

const settingsSchema = z.object({
  format: z.literal('holdfast-repository'),
  formatVersion: z.number().int(),
  /** Names of features that a program must know to read, to write or to collect; `compatible` ones it may ignore. */
  features: z.object({
    incompatibleRead: z.array(z.string()),
    incompatibleWrite: z.array(z.string()),
    incompatibleCollect: z.array(z.string()),
    compatible: z.array(z.string()),
  }),
  /** 16 bytes in hex */
  repositoryId: z.string().regex(/^[0-9a-f]{32}$/),
  createdAt: z.string(),
  chunker: chunkSizeFields.extend({ algorithm: z.literal('fastcdc-k1') }).refine(areOrdered, ORDER),
  /** Sizes of a tree's pages, bytes of CBOR. */
  pages: chunkSizes,
  /** Files up to this many bytes lie in their tree entry. */
  inlineFileLimit: z.number().int().min(0).max(65_536),
  /** Streams up to this many bytes lie in their snapshot object. */
  inlineContentLimit: z.number().int().min(0).max(1_048_576),
  /** Bytes at which a pack is closed. */
  packs: z.object({ data: z.number().int().min(65_536), metadata: z.number().int().min(65_536) }),
  /** Small chunks are gathered until a frame holds this many plain bytes. */
  frameTarget: z.number().int().min(4096).max(4_194_304),
  codec: z.object({ name: z.enum(['raw', 'gzip', 'zstd']), level: z.number().int().min(-7).max(22) }),
  cipher: z.enum(['aes-256-gcm', 'aes-256-cbc']),
  /** Whether each frame is opened, decoded and compared before its pack is published. */
  verifyBeforeCommit: z.boolean(),
});

/** What is fixed when a repository is made; lies in the clear in its `config` object. */
export type RepositorySettings = z.infer<typeof settingsSchema>;

export type SettingsChoice = Partial<
  Pick<
    RepositorySettings,
    | 'codec'
    | 'cipher'
    | 'verifyBeforeCommit'
    | 'chunker'
    | 'packs'
    | 'pages'
    | 'frameTarget'
    | 'inlineContentLimit'
    | 'inlineFileLimit'
  >
>;

export function newSettings(choice: SettingsChoice, now: Date): RepositorySettings {
  return settingsSchema.parse({
    format: 'holdfast-repository',
    formatVersion: FORMAT_VERSION,
    features: { incompatibleRead: [], incompatibleWrite: [], incompatibleCollect: [], compatible: [] },
    repositoryId: randomBytes(16).toString('hex'),
    createdAt: now.toISOString(),
    chunker: { algorithm: 'fastcdc-k1', minimum: 262_144, average: 1_048_576, maximum: 4_194_304 },
    pages: { minimum: 16_384, average: 65_536, maximum: 262_144 },
    inlineFileLimit: 512,
    inlineContentLimit: 65_536,
    packs: { data: 33_554_432, metadata: 8_388_608 },
    frameTarget: 262_144,
    codec: { name: 'zstd', level: 3 },
    cipher: 'aes-256-gcm',
    verifyBeforeCommit: true,
    ...choice,
  });
}

export function encodeSettings(settings: RepositorySettings): Buffer {
  return Buffer.from(`${JSON.stringify(settings, null, 2)}\n`);
}

/**
 * @throws HoldfastError `format-newer` (unsupported) for a newer format or an unknown feature, `config-damaged` (damaged)
 * for anything else that does not fit
 */
export function decodeSettings(bytes: Uint8Array): RepositorySettings {
  let value: unknown;
  try {
    // Nothing vouches for it yet; to tell all that is wrong with a list of millions would take gigabytes.
    if (bytes.length > LARGEST_SETTINGS) throw new RangeError(`It is longer than ${LARGEST_SETTINGS} bytes.`);
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(cause);
  }
  refuseNewer(value);
  const parsed = settingsSchema.safeParse(value);
  if (!parsed.success) throw damaged(parsed.error);
  return parsed.data;
}

/** Bytes; Holdfast writes about a thousand. */
const LARGEST_SETTINGS = 65_536;

/** What any version of the format has. */
const versionSchema = z.object({ format: z.literal('holdfast-repository'), formatVersion: z.number() });
const featuresSchema = z.object({
  features: z.object({ incompatibleRead: z.array(z.string()), incompatibleWrite: z.array(z.string()) }),
});

function refuseNewer(value: unknown): void {
  const version = versionSchema.safeParse(value);
  if (!version.success) return;
  const { formatVersion } = version.data;
  const probe = featuresSchema.safeParse(value);
  const unknown = probe.success
    ? [...probe.data.features.incompatibleRead, ...probe.data.features.incompatibleWrite]
    : [];
  if (formatVersion > FORMAT_VERSION || unknown.length > 0) {
    const what = unknown.length > 0 ? `uses ${unknown.join(', ')}` : `has format ${formatVersion}`;
    throw new HoldfastError(
      'unsupported',
      'format-newer',
      `This repository ${what}, which this version of Holdfast (format ${FORMAT_VERSION}) does not know. Nothing is wrong with it: use a newer Holdfast.`,
    );
  }
}

function damaged(cause: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'config-damaged',
    "The repository's `config` object cannot be read. Restore that one file from a copy of the repository.",
    {
      cause,
      details: { object: 'config' },
    },
  );
}
