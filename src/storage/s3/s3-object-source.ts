import { HoldfastError } from '../../core/errors.ts';
import type { ObjectSource, OpenObject, SourceObject } from '../../core/ports/object-source.ts';
import { Bucket } from './bucket.ts';
import type { S3ClientOptions, SecretResolver } from './s3-client.ts';

/**
 * A bucket that somebody else writes, for reading only. Asks the server nothing yet.
 * @throws HoldfastError `s3-options-invalid`, `s3-ca-unreadable` (invalid)
 */
export async function openS3ObjectSource(
  options: S3ClientOptions,
  resolveSecret: SecretResolver,
): Promise<ObjectSource> {
  return new S3ObjectSource(await Bucket.open(options, resolveSecret));
}

class S3ObjectSource implements ObjectSource {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  get location(): string {
    return this.#bucket.location;
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<SourceObject> {
    for await (const page of this.#bucket.list(prefix, signal))
      for (const { key, size, lastModified } of page) yield { key, size, modifiedAt: lastModified ?? new Date(0) };
  }

  async open(
    key: string,
    { offset, entityTag, signal }: { offset: number; entityTag?: string; signal: AbortSignal },
  ): Promise<OpenObject> {
    const { size, etag, body } = await this.#bucket.open(key, { offset, signal });
    if (entityTag !== undefined && etag !== entityTag) {
      body.destroy();
      throw new HoldfastError('conflict', 'object-changed', `"${key}" was changed while it was read.`);
    }
    return { size, ...(etag === undefined ? {} : { entityTag: etag }), bytes: body };
  }

  async close(): Promise<void> {
    this.#bucket.close();
  }
}
