import { createHmac } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';

const [SHORTEST_KEY, LONGEST_KEY] = [24, 64];

/**
 * The `webhook-signature` of Standard Webhooks 1.0: `v1,` and, in base64, HMAC-SHA256 of id, timestamp and body, joined by dots.
 * @param secret base64 of 24 to 64 bytes, with or without `whsec_` before it
 * @param timestamp seconds since 1970, in digits
 * @throws HoldfastError `webhook-secret-invalid` (invalid), without the secret
 */
export function webhookSignature(
  secret: string,
  { id, timestamp, body }: Record<'id' | 'timestamp' | 'body', string>,
): string {
  const digest = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64');
  return `v1,${digest}`;
}

function keyOf(secret: string): Buffer {
  const encoded = secret.trim().replace(/^whsec_/, '');
  const key = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0);
  if (key.length >= SHORTEST_KEY && key.length <= LONGEST_KEY) return key;
  throw new HoldfastError(
    'invalid',
    'webhook-secret-invalid',
    `The secret of the signature is not base64 of ${SHORTEST_KEY} to ${LONGEST_KEY} bytes. Make one: echo "whsec_$(openssl rand -base64 32)".`,
  );
}
