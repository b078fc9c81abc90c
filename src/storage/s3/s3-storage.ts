import { z } from 'zod';
import { resolveSecret } from '../../config/resolve-secret.ts';
import { HoldfastError } from '../../core/errors.ts';
import { plainIssue } from '../../core/plain-issue.ts';
import type { PendingObject, Storage, StorageModuleReference, StoredObject } from '../../core/ports/storage.ts';
import { Bucket } from './bucket.ts';
import { requireConditionalCreate } from './conditional-create.ts';
import { PendingUpload } from './pending-upload.ts';
import type { S3ClientOptions } from './s3-client.ts';
import { LARGEST_PACK, UploadMemory } from './upload-memory.ts';

export interface S3StorageOptions extends S3ClientOptions {
  /** what every key begins with, without slashes at its ends; default: the whole bucket */
  prefix?: string;
}

/**
 * A repository in a bucket. Objects are created with `If-None-Match: *`; before the first one is, each thread finds out whether the
 * server keeps that, and refuses to write where it does not. Reading asks for no right to write and leaves nothing behind.
 * Secrets are references, read again in each thread.
 *
 * @throws HoldfastError `storage-options-invalid`, `s3-options-invalid`, `s3-ca-unreadable` (invalid)
 */
export async function openStorage(options: Readonly<Record<string, unknown>>): Promise<Storage> {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const message = `The S3 storage's setting \`${issue?.path.join('.')}\` is not valid: ${plainIssue(issue?.message ?? '')}.`;
    throw new HoldfastError('invalid', 'storage-options-invalid', message);
  }
  const chosen = Object.fromEntries(
    Object.entries(parsed.data).filter(([, value]) => value !== undefined),
  ) as unknown as S3StorageOptions;
  const bucket = await Bucket.open(chosen, (reference) => resolveSecret(reference, process.env));
  return new S3Storage(bucket, chosen);
}

const optionsSchema = z.strictObject({
  bucket: z.string().min(1),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)
    .optional(),
  endpoint: z.string().optional(),
  region: z.string().optional(),
  pathStyle: z.boolean().optional(),
  accessKeyId: z.string().optional(),
  secretAccessKey: z.string().optional(),
  sessionToken: z.string().optional(),
  caFile: z.string().optional(),
  verifyTls: z.boolean().optional(),
  uploadChecksums: z.boolean().optional(),
  sockets: z.number().int().min(1).optional(),
  attempts: z.number().int().min(1).optional(),
  connectSeconds: z.number().positive().optional(),
  idleSeconds: z.number().positive().optional(),
});

class S3Storage implements Storage {
  readonly kind = 's3';
  readonly largestPack = LARGEST_PACK;
  readonly location: string;
  readonly reopen: StorageModuleReference;
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #memory = new UploadMemory();
  #proof: Promise<void> | undefined;

  constructor(bucket: Bucket, options: S3StorageOptions) {
    const { prefix, endpoint } = options;
    this.#bucket = bucket;
    this.#prefix = prefix === undefined ? '' : `${prefix}/`;
    this.location = `s3://${[options.bucket, ...(prefix === undefined ? [] : [prefix])].join('/')}${endpoint === undefined ? '' : ` (${endpoint})`}`;
    this.reopen = { module: new URL('./s3-storage.ts', import.meta.url).href, options: { ...options } };
  }

  async putNew(key: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<'created' | 'exists'> {
    return this.#create(key, bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes));
  }

  beginNew(): PendingObject {
    return new PendingUpload(this.#memory, (key, bytes) => this.#create(key, bytes));
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(this.#keyOf(key), bytes);
  }

  async get(key: string): Promise<Buffer> {
    return this.#bucket.read(this.#keyOf(key));
  }

  async getRange(key: string, offset: number, length: number, buffer?: Buffer): Promise<Buffer> {
    return this.#bucket.readRange(this.#keyOf(key), offset, length, buffer);
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const found: StoredObject[] = [];
    for await (const page of this.#bucket.list(this.#keyOf(prefix)))
      for (const { key, size } of page) found.push({ key: key.slice(this.#prefix.length), size });
    return found;
  }

  async delete(key: string): Promise<void> {
    await this.#bucket.delete(this.#keyOf(key));
  }

  async serverTime(): Promise<Date> {
    return this.#bucket.serverTime();
  }

  async close(): Promise<void> {
    this.#memory.clear();
    this.#bucket.close();
  }

  async ready(): Promise<void> {
    await this.#memory.ready();
  }

  async tryWriting(): Promise<void> {
    await this.#requireConditionalCreate();
  }

  async #create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    await this.#requireConditionalCreate();
    return this.#bucket.create(this.#keyOf(key), bytes);
  }

  #requireConditionalCreate(): Promise<void> {
    this.#proof ??= requireConditionalCreate(this.#bucket, this.#keyOf(PROBE)).catch((error: unknown) => {
      this.#proof = undefined;
      throw error;
    });
    return this.#proof;
  }

  #keyOf(key: string): string {
    return `${this.#prefix}${key}`;
  }
}

/** An object that stays, by which each thread asks whether the server keeps `If-None-Match`. */
const PROBE = 'tmp/conditional-create';
