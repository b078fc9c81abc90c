import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ObjectSource, OpenObject, SourceObject } from '../../core/ports/object-source.ts';
import { createS3Client, type S3ClientOptions, type SecretResolver } from './s3-client.ts';

/**
 * A bucket that somebody else writes, for reading only.
 * @throws HoldfastError `s3-options-invalid`, `s3-ca-unreadable` (invalid)
 */
export async function openS3ObjectSource(
  options: S3ClientOptions,
  resolveSecret: SecretResolver,
): Promise<ObjectSource> {
  const [client, commands] = await Promise.all([createS3Client(options, resolveSecret), import('@aws-sdk/client-s3')]);
  return new S3ObjectSource(client, commands, options);
}

type Commands = Pick<typeof import('@aws-sdk/client-s3'), 'GetObjectCommand' | 'ListObjectsV2Command'>;

class S3ObjectSource implements ObjectSource {
  readonly location: string;
  readonly #client: S3Client;
  readonly #commands: Commands;
  readonly #bucket: string;

  constructor(client: S3Client, commands: Commands, { bucket, endpoint }: S3ClientOptions) {
    this.#client = client;
    this.#commands = commands;
    this.#bucket = bucket;
    this.location = `s3://${bucket}${endpoint === undefined ? '' : ` of ${endpoint}`}`;
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<SourceObject> {
    let token: string | undefined;
    do {
      const { ListObjectsV2Command } = this.#commands;
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token });
      const page = await this.#client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        throw this.#fault(error, 'listed', signal);
      });
      for (const { Key, Size, LastModified } of page.Contents ?? [])
        if (Key !== undefined && Size !== undefined && LastModified !== undefined)
          yield { key: Key, size: Size, modifiedAt: LastModified };
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async open(
    key: string,
    { offset, entityTag, signal }: { offset: number; entityTag?: string; signal: AbortSignal },
  ): Promise<OpenObject> {
    const { GetObjectCommand } = this.#commands;
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }),
      ...(entityTag === undefined ? {} : { IfMatch: entityTag }),
    });
    const answer = await this.#client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      throw this.#fault(error, `read ("${key}")`, signal);
    });
    const body = answer.Body as Readable | undefined;
    const size = wholeSize(answer, offset);
    if (body === undefined || size === undefined) {
      body?.destroy();
      throw new HoldfastError('unavailable', 's3-answer-odd', `${this.location} gave another part of "${key}".`);
    }
    return { size, ...(answer.ETag === undefined ? {} : { entityTag: answer.ETag }), bytes: body };
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #fault(error: unknown, deed: string, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    const status = statusOf(error);
    const name = error instanceof Error ? error.name : '';
    const message = `${this.location} could not be ${deed}: ${status ?? ''} ${name} ${messageOf(error)}`;
    const told = (kind: 'not-found' | 'conflict' | 'denied' | 'unavailable', code: string) =>
      new HoldfastError(kind, code, message.replaceAll(/\s+/g, ' '), { cause: error });
    if (status === 412) return told('conflict', 'object-changed');
    if (status === 404) return told('not-found', name === 'NoSuchKey' ? 'object-missing' : 'bucket-missing');
    if (status === 401 || status === 403) return told('denied', 's3-refused');
    return told('unavailable', 's3-unavailable');
  }
}

/** Undefined where the answer does not begin where it should. */
function wholeSize({ ContentRange, ContentLength }: GetObjectCommandOutput, offset: number): number | undefined {
  if (offset === 0) return ContentLength;
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? '') ?? [];
  return Number(first) === offset && size !== undefined ? Number(size) : undefined;
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  return (error.$metadata as { httpStatusCode?: number }).httpStatusCode;
}
