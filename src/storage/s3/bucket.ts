import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../core/errors.ts';
import { waitBefore } from './backoff.ts';
import { type ObjectPart, partOf } from './object-part.ts';
import { ObjectReading, type RequestedRange } from './object-reading.ts';
import { RequestSlots } from './request-slots.ts';
import { createS3Client, DEFAULT_SOCKETS, type S3ClientOptions, type SecretResolver } from './s3-client.ts';
import { type S3Attempt, s3Fault, statusOf } from './s3-fault.ts';

export interface BucketObject {
  key: string;
  /** bytes */
  size: number;
  lastModified: Date | undefined;
  etag: string | undefined;
}

export interface OpenedObject extends BucketObject {
  /** Goes on in a new request where a connection broke; fails where the bytes do not come to `size`. Destroy it if it is not read to its end. */
  body: Readable;
}

type Sdk = typeof import('./sdk.ts');

/**
 * One bucket of an S3 server: whole keys, no prefix of its own. What comes back is looked at: a listing that cannot be whole, a range
 * that is another one than was asked for, and a body that ends early are errors, after as many repetitions as the options allow.
 */
export class Bucket {
  readonly name: string;
  /** for a person to read */
  readonly location: string;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #slots: RequestSlots;
  readonly #attempts: number;

  private constructor(sdk: Sdk, client: S3Client, options: S3ClientOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.name = options.bucket;
    this.location = `s3://${options.bucket}${options.endpoint === undefined ? '' : ` (${options.endpoint})`}`;
    this.#slots = new RequestSlots(options.sockets ?? DEFAULT_SOCKETS);
    this.#attempts = options.attempts ?? 10;
  }

  /** Asks the server nothing yet. */
  static async open(options: S3ClientOptions, resolveSecret: SecretResolver): Promise<Bucket> {
    const client = await createS3Client(options, resolveSecret);
    return new Bucket(await import('./sdk.ts'), client, options);
  }

  /**
   * All objects whose key begins with `prefix`, by pages of up to 1,000.
   * @throws HoldfastError `listing-incomplete` (unavailable) where a page cannot be whole
   */
  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<readonly BucketObject[]> {
    let token: string | undefined;
    do {
      const page = await this.#listPage(prefix, token, signal);
      yield page.objects;
      if (page.next !== undefined && page.next === token) throw this.#listingIncomplete('it repeats itself');
      token = page.next;
    } while (token !== undefined);
  }

  /** @throws HoldfastError `object-missing` (not-found) */
  async head(
    key: string,
    signal?: AbortSignal,
  ): Promise<BucketObject & { metadata: Readonly<Record<string, string>> }> {
    const command = new this.#sdk.HeadObjectCommand({ Bucket: this.name, Key: key });
    const answer = await this.#ask('s3:GetObject', key, () => this.#client.send(command, sending(signal)), signal);
    return {
      key,
      size: answer.ContentLength ?? 0,
      lastModified: answer.LastModified,
      etag: answer.ETag,
      metadata: answer.Metadata ?? {},
    };
  }

  /** @throws HoldfastError `object-missing` (not-found) */
  async read(key: string, signal?: AbortSignal): Promise<Buffer> {
    return this.#reading(key, signal).whole();
  }

  /**
   * Exactly `length` bytes from `offset`, in `buffer` if that is large enough.
   * @throws HoldfastError `object-missing` (not-found), `object-truncated` (damaged)
   */
  async readRange(key: string, offset: number, length: number, buffer?: Buffer, signal?: AbortSignal): Promise<Buffer> {
    if (length > 0) return this.#reading(key, signal).range(offset, length, buffer);
    await this.head(key, signal);
    return Buffer.alloc(0);
  }

  /** The bytes of an object from `offset` to its end. @throws HoldfastError `object-missing` (not-found) */
  async open(key: string, options: { offset?: number; signal?: AbortSignal } = {}): Promise<OpenedObject> {
    const { part, body } = await this.#reading(key, options.signal).stream(options.offset ?? 0);
    return { key, size: part.size, lastModified: part.lastModified, etag: part.etag, body };
  }

  /**
   * Makes an object unless there is one. `exists` means that another call made it: each call leaves a mark of its own in the
   * object's metadata, by which a repetition knows an attempt whose answer was lost.
   */
  async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    const mark = randomBytes(16).toString('hex');
    const input = { Bucket: this.name, Key: key, Body: bytes, IfNoneMatch: '*', Metadata: { [MARK]: mark } };
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#slots
        .use(() => this.#client.send(new this.#sdk.PutObjectCommand(input)))
        .then(() => undefined)
        .catch((error: unknown) => ({ error, status: statusOf(error) }));
      if (answer === undefined) return 'created';
      if (answer.status === 412) {
        const there = await this.#headOrMissing(key);
        if (there !== undefined) return there.metadata[MARK] === mark ? 'created' : 'exists';
      } else if (answer.status !== 409 || attempt >= this.#attempts) {
        throw s3Fault(answer.error, this.#attempt('s3:PutObject', key));
      }
      if (attempt >= this.#attempts) throw this.#undecided(key);
      await waitBefore(attempt);
    }
  }

  /** Makes an object or replaces it. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    const command = new this.#sdk.PutObjectCommand({ Bucket: this.name, Key: key, Body: bytes });
    await this.#ask('s3:PutObject', key, () => this.#client.send(command));
  }

  /** No error if it is gone already. */
  async delete(key: string): Promise<void> {
    const command = new this.#sdk.DeleteObjectCommand({ Bucket: this.name, Key: key });
    await this.#ask('s3:DeleteObject', key, () => this.#client.send(command)).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing') throw error;
    });
  }

  /** The server's clock, to the second; asks for something cheap. */
  async serverTime(): Promise<Date> {
    let date: string | undefined;
    const command = new this.#sdk.ListObjectsV2Command({ Bucket: this.name, MaxKeys: 1, Prefix: NOTHING });
    command.middlewareStack.add(
      (next) => async (input) => {
        const result = await next(input);
        const { headers } = result.response as { headers?: Record<string, string> };
        date = headers?.date;
        return result;
      },
      { step: 'deserialize', name: 'dateOfAnswer' },
    );
    await this.#ask('s3:ListBucket', undefined, () => this.#client.send(command));
    const time = new Date(date ?? '');
    return Number.isNaN(time.getTime()) ? new Date() : time;
  }

  close(): void {
    this.#client.destroy();
  }

  async #listPage(
    prefix: string,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ objects: BucketObject[]; next: string | undefined }> {
    const input = { Bucket: this.name, Prefix: prefix, ContinuationToken: token };
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#ask(
          's3:ListBucket',
          undefined,
          () => this.#client.send(new this.#sdk.ListObjectsV2Command(input), sending(signal)),
          signal,
        );
        const { Contents = [], IsTruncated, KeyCount, NextContinuationToken: next } = answer;
        // A body that was cut may still be read as a list: what it says of itself is compared with what it holds.
        if (IsTruncated === undefined) throw this.#listingIncomplete('it does not say whether there is more');
        if (IsTruncated && next === undefined) throw this.#listingIncomplete('it does not say how to go on');
        if (KeyCount !== undefined && KeyCount !== Contents.length)
          throw this.#listingIncomplete(`it holds ${Contents.length} keys and says ${KeyCount}`);
        const objects = Contents.map(({ Key, Size, LastModified, ETag }) => {
          if (Key === undefined || Size === undefined || !Key.startsWith(prefix))
            throw this.#listingIncomplete('an object has no key, no size or another prefix');
          return { key: Key, size: Size, lastModified: LastModified, etag: ETag };
        });
        return { objects, next: IsTruncated ? next : undefined };
      } catch (error) {
        if (!(error instanceof HoldfastError) || !CUT.has(error.code) || attempt >= this.#attempts) throw error;
        await waitBefore(attempt, signal);
      }
    }
  }

  #reading(key: string, signal: AbortSignal | undefined): ObjectReading {
    return new ObjectReading({
      key,
      slots: this.#slots,
      attempts: this.#attempts,
      signal,
      request: (range, until) => this.#part(key, range, until),
      fault: (error) => s3Fault(error, this.#attempt('s3:GetObject', key)),
    });
  }

  async #part(
    key: string,
    { offset, end, etag }: RequestedRange,
    signal: AbortSignal | undefined,
  ): Promise<ObjectPart> {
    const command = new this.#sdk.GetObjectCommand({
      Bucket: this.name,
      Key: key,
      ...(offset === 0 && end === undefined ? {} : { Range: `bytes=${offset}-${end === undefined ? '' : end - 1}` }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    });
    return partOf(await this.#client.send(command, sending(signal)), offset);
  }

  async #headOrMissing(key: string): Promise<{ metadata: Readonly<Record<string, string>> } | undefined> {
    try {
      return await this.head(key);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  async #ask<Answer>(
    action: string,
    key: string | undefined,
    send: () => Promise<Answer>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    try {
      return await this.#slots.use(send, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Fault(error, this.#attempt(action, key));
    }
  }

  #attempt(action: string, key: string | undefined): S3Attempt {
    return { location: this.location, bucket: this.name, action, ...(key === undefined ? {} : { key }) };
  }

  #listingIncomplete(why: string): HoldfastError {
    const message = `A listing of ${this.location} is not whole: ${why}. Nothing was done with it; try again, or look at the server or at what stands between.`;
    return new HoldfastError('unavailable', 'listing-incomplete', message);
  }

  #undecided(key: string): HoldfastError {
    const message = `The S3 server of ${this.location} says that ${key} is there and that it is not. Nothing was reported as stored; look at the server.`;
    return new HoldfastError('unavailable', 'storage-failed', message, { details: { object: key } });
  }
}

/** What is wrong with an answer that came without an error. */
const CUT: ReadonlySet<string> = new Set(['listing-incomplete', 'answer-unreadable']);
/** Name of the metadata that says which call made an object. */
const MARK = 'holdfast-put';
/** No key begins with it. */
const NOTHING = '\u0021nothing';

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
