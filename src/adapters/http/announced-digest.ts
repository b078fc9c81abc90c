import { createHash, type Hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { HoldfastError } from '../../core/errors.ts';

/** A hash that the sender says its bytes have. */
export interface AnnouncedDigest {
  header: string;
  algorithm: 'sha256' | 'sha512';
  expected: Buffer;
}

/**
 * What `Content-Digest` (RFC 9530: `sha-256=:BASE64:`, `sha-512`) and `X-Content-SHA256` (hex) announce. Algorithms that we do
 * not know are passed over, as the RFC wants.
 * @throws HoldfastError `digest-malformed` (invalid)
 */
export function announcedDigests(headers: IncomingHttpHeaders): AnnouncedDigest[] {
  const announced: AnnouncedDigest[] = [];
  const hex = headers['x-content-sha256'];
  if (hex !== undefined) {
    if (typeof hex !== 'string' || !/^[0-9a-f]{64}$/i.test(hex)) throw malformed('X-Content-SHA256', '64 hex digits');
    announced.push({ header: 'X-Content-SHA256', algorithm: 'sha256', expected: Buffer.from(hex, 'hex') });
  }
  const fields = headers['content-digest'];
  for (const field of (Array.isArray(fields) ? fields.join(',') : (fields ?? '')).split(',')) {
    const match = /^\s*(sha-256|sha-512)\s*=\s*(.*?)\s*$/i.exec(field);
    if (match === null) continue;
    const algorithm = match[1]?.toLowerCase() === 'sha-256' ? 'sha256' : 'sha512';
    const expected = Buffer.from(/^:([A-Za-z0-9+/]+={0,2}):$/.exec(match[2] ?? '')?.[1] ?? '', 'base64');
    if (expected.length !== DIGEST_BYTES[algorithm]) throw malformed('Content-Digest', 'sha-256=:BASE64:');
    announced.push({ header: 'Content-Digest', algorithm, expected });
  }
  return announced;
}

/**
 * Passes bytes on and compares their hashes with the announced ones at the end.
 * @throws HoldfastError `digest-mismatch` (invalid), as if the input were broken: so nothing is kept of it
 */
export async function* verifiedBytes(
  bytes: AsyncIterable<Uint8Array>,
  announced: readonly AnnouncedDigest[],
): AsyncGenerator<Uint8Array> {
  const hashes = announced.map(({ algorithm }) => createHash(algorithm));
  for await (const chunk of bytes) {
    for (const hash of hashes) hash.update(chunk);
    yield chunk;
  }
  announced.forEach((digest, index) => {
    const received = (hashes[index] as Hash).digest();
    if (received.equals(digest.expected)) return;
    throw new HoldfastError(
      'invalid',
      'digest-mismatch',
      `The bytes that arrived do not have the hash that ${digest.header} announced; nothing was stored. Send them again.`,
      { details: { algorithm: digest.algorithm, received: received.toString('hex') } },
    );
  });
}

const DIGEST_BYTES = { sha256: 32, sha512: 64 };

function malformed(header: string, expected: string): HoldfastError {
  return new HoldfastError('invalid', 'digest-malformed', `${header} must have the form ${expected}.`);
}
