import { Readable } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';
import { waitBefore } from './backoff.ts';
import type { ObjectPart } from './object-part.ts';
import type { RequestSlots } from './request-slots.ts';
import { mayPass, statusOf } from './s3-fault.ts';

export interface ReadingPlace {
  key: string;
  slots: RequestSlots;
  /** without a byte between them */
  attempts: number;
  signal: AbortSignal | undefined;
  /** @param range `end` is the place after its last byte; undefined for the object's end */
  request: (range: RequestedRange, signal: AbortSignal | undefined) => Promise<ObjectPart>;
  fault: (error: unknown) => HoldfastError;
}

export interface RequestedRange {
  offset: number;
  end: number | undefined;
  /** of the version that is wanted */
  etag: string | undefined;
}

/**
 * Reads of one object that go on where a connection broke. The SDK repeats a request until it is answered, but what breaks in the
 * middle of a body is for its caller to mend. The entity tag of the first answer is asked for in the later ones, so that bytes of
 * two versions never come together.
 */
export class ObjectReading {
  readonly #place: ReadingPlace;

  constructor(place: ReadingPlace) {
    this.#place = place;
  }

  async whole(): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      try {
        let target: Buffer | undefined;
        let done = 0;
        const pieces = this.#pieces({ offset: 0, end: undefined }, ({ size }) => {
          target = Buffer.allocUnsafe(size);
        });
        for await (const piece of pieces) {
          target?.set(piece, done);
          done += piece.length;
        }
        return target ?? Buffer.alloc(0);
      } catch (error) {
        // It was replaced while it was read, as marks of sessions are.
        if (!isChanged(error) || attempt >= this.#place.attempts) throw error;
      }
    }
  }

  async range(offset: number, length: number, buffer?: Buffer): Promise<Buffer> {
    let target: Buffer | undefined;
    let done = 0;
    const pieces = this.#pieces({ offset, end: offset + length }, (part) => {
      if (part.length < length) throw truncated(this.#place.key, part.size, offset + length);
      // Not before the object was seen to have so many bytes: a damaged index may ask for anything.
      target =
        buffer !== undefined && buffer.length >= length ? buffer.subarray(0, length) : Buffer.allocUnsafe(length);
    });
    for await (const piece of pieces) {
      target?.set(piece, done);
      done += piece.length;
    }
    return target ?? Buffer.alloc(0);
  }

  /** The first bytes are fetched before this resolves, so that what is missing or refused is known before a stream is given. */
  async stream(offset: number): Promise<{ part: ObjectPart; body: Readable }> {
    const stop = new AbortController();
    const { signal } = this.#place;
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    let part: ObjectPart | undefined;
    const pieces = this.#pieces(
      { offset, end: undefined },
      (first) => {
        part = first;
      },
      either,
    );
    const first = await pieces.next();
    if (part === undefined) throw this.#place.fault(new Error('no answer'));
    const all = async function* (): AsyncGenerator<Buffer> {
      if (first.done !== true) yield first.value;
      yield* pieces;
    };
    const body = Readable.from(all(), { objectMode: false });
    body.once('close', () => {
      stop.abort();
      // One that never began to be read stands at its first piece still.
      pieces.return().catch(() => undefined);
    });
    return { part, body };
  }

  async *#pieces(
    { offset, end: wanted }: { offset: number; end: number | undefined },
    onFirst: (part: ObjectPart) => void,
    signal = this.#place.signal,
  ): AsyncGenerator<Buffer, void, undefined> {
    let at = offset;
    let end = wanted;
    let etag: string | undefined;
    for (let failures = 0, isFirst = true; ; ) {
      const release = await this.#place.slots.take(signal);
      let part: ObjectPart | undefined;
      let failure: unknown = new Error('the answer ended early');
      try {
        part = await this.#request({ offset: at, end, etag }, signal);
        if (isFirst) onFirst(part);
        isFirst = false;
        etag ??= part.etag;
        end ??= part.size;
        for await (const piece of part.body as AsyncIterable<Buffer>) {
          at += piece.length;
          if (at > end) throw tooLong(this.#place.key);
          failures = 0;
          yield piece;
        }
      } catch (error) {
        signal?.throwIfAborted();
        // What was not answered the SDK has repeated already.
        if (part === undefined && !isMisunderstood(error)) throw this.#place.fault(error);
        if (!mayPass(error)) throw error;
        failure = error;
      } finally {
        part?.body.destroy();
        release();
      }
      if (at === end) return;
      if (++failures >= this.#place.attempts) throw this.#place.fault(failure);
      await waitBefore(failures, signal);
    }
  }

  async #request(range: RequestedRange, signal: AbortSignal | undefined): Promise<ObjectPart> {
    try {
      return await this.#place.request(range, signal);
    } catch (error) {
      const status = statusOf(error);
      if (status === 416) throw truncated(this.#place.key, undefined, range.end ?? range.offset);
      if (status === 412) throw changed(this.#place.key);
      throw error;
    }
  }
}

function truncated(key: string, size: number | undefined, needed: number): HoldfastError {
  const where = size === undefined ? 'earlier' : `after ${size} bytes`;
  const message = `${key} ends ${where} where at least ${needed} are needed. Run \`holdfast verify\` to see what is hit.`;
  return new HoldfastError('damaged', 'object-truncated', message, { details: { object: key } });
}

function tooLong(key: string): HoldfastError {
  const message = `${key} came with more bytes than its length. Nothing of it was used; look at the S3 server or at what stands between.`;
  return new HoldfastError('unavailable', 'range-not-given', message, { details: { object: key } });
}

function changed(key: string): HoldfastError {
  const message = `${key} was replaced while it was read. Read it again.`;
  return new HoldfastError('conflict', 'object-changed', message, { details: { object: key } });
}

function isMisunderstood(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'range-not-given';
}

function isChanged(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'object-changed';
}
