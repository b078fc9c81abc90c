import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { Bucket } from './bucket.ts';

/**
 * Finds out whether the server creates without replacing, on which every commit rests. An object at `key` stays: from then on
 * one request tells. Where it is not there yet, several are created at once, of which one must win.
 *
 * @throws HoldfastError `storage-not-exclusive` (unsupported), `storage-denied`
 */
export async function requireConditionalCreate(bucket: Bucket, key: string): Promise<void> {
  const body = randomBytes(16);
  if ((await bucket.create(key, body)) === 'exists') return;
  const again = await bucket.create(key, randomBytes(16));
  if (again !== 'exists' || !(await bucket.read(key)).equals(body)) throw notExclusive(bucket);
  const rival = `${key}-${randomBytes(8).toString('hex')}`;
  const outcomes = await Promise.all(Array.from({ length: RIVALS }, () => bucket.create(rival, randomBytes(16))));
  await bucket.delete(rival).catch(ignoreDenied);
  if (outcomes.filter((outcome) => outcome === 'created').length === 1) return;
  // The next one has to look again.
  await bucket.delete(key).catch(ignoreDenied);
  throw notExclusive(bucket);
}

const RIVALS = 4;

/** Nothing needs a delete to succeed. */
function ignoreDenied(error: unknown): void {
  if (!(error instanceof HoldfastError) || error.code !== 'storage-denied') throw error;
}

function notExclusive(bucket: Bucket): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'storage-not-exclusive',
    `The S3 server of ${bucket.location} replaces objects although it is told not to (If-None-Match), or something between takes that header away. Two backups at once would destroy each other there. Use a server that keeps it: AWS S3, MinIO, and others in newer versions; docs/s3.md tells more.`,
  );
}
