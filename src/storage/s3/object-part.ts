import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../core/errors.ts';

/** What one answer gives of an object. */
export interface ObjectPart {
  body: Readable;
  /** bytes that the body should have */
  length: number;
  /** bytes of the whole object */
  size: number;
  etag: string | undefined;
  lastModified: Date | undefined;
}

/**
 * @param offset that was asked for
 * @throws HoldfastError `range-not-given` (unavailable) where the answer is to another question
 */
export function partOf(answer: GetObjectCommandOutput, offset: number): ObjectPart {
  const { Body: body, ContentLength: length, ContentRange, ETag: etag, LastModified: lastModified } = answer;
  if (!(body instanceof Readable)) throw notGiven('it has no body');
  try {
    const said = ContentRange === undefined ? undefined : /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange);
    if (length === undefined) throw notGiven('it does not say how long it is');
    if (said === undefined) {
      if (offset !== 0) throw notGiven('it begins at the start of the object');
      return { body, length, size: length, etag, lastModified };
    }
    const [from, to, size] = (said?.slice(1) ?? []).map(Number);
    if (from === undefined || to === undefined || size === undefined || from !== offset || to - from + 1 !== length)
      throw notGiven(`it says "${ContentRange}" and ${length} bytes`);
    return { body, length, size, etag, lastModified };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

function notGiven(why: string): HoldfastError {
  const message = `The S3 server, or what stands between, does not answer to what was asked for: ${why}.`;
  return new HoldfastError('unavailable', 'range-not-given', message);
}
