import { HoldfastError } from '../../core/errors.ts';
import { variantKey } from '../masking/variant-keys.ts';
import type { MaskingPolicy } from '../policy/masking-policy.ts';

/** Characters; 128 bits in base64 have 22, in hex 32. */
const SHORTEST_KEY = 22;

/**
 * The key of one variant of one resource, 32 bytes.
 * @param resolveSecret gives the text of the key that the policy refers to
 * @throws HoldfastError `secret-missing` (invalid) naming the reference; `masking-key-too-short` (invalid)
 */
export async function maskingKey(
  { key, epoch }: MaskingPolicy,
  { resource, variant }: { resource: string; variant: string },
  resolveSecret: (reference: string) => Promise<string>,
): Promise<Uint8Array> {
  const master = Buffer.from(await resolveSecret(key));
  if (master.length >= SHORTEST_KEY) return variantKey(master, { resource, variant, epoch });
  const message = `The key that the masking policy of ${resource} refers to (${key}) is shorter than ${SHORTEST_KEY} characters, and could be guessed. Make one with \`openssl rand -base64 32\`.`;
  throw new HoldfastError('invalid', 'masking-key-too-short', message);
}
