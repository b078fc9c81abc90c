import { createHash } from 'node:crypto';
import { MASKING_VERSION, purposeKey } from '../masking/variant-keys.ts';
import { policyHash } from '../policy/canonical-policy.ts';
import type { MaskingPolicy } from '../policy/masking-policy.ts';

/** Raise it where the same policy makes other bytes of the same content than before: another order, another quoting, other samples. */
const CONTENT_VERSION = 2;

/**
 * Hex, SHA-256: equal where the same content becomes the same bytes. The key is in it by something that is derived from it, so that another key
 * in the same place is noticed.
 */
export function variantFingerprint(policy: MaskingPolicy, variant: string, key: Uint8Array): string {
  const keyCheck = Buffer.from(purposeKey(key, 'fingerprint')).toString('hex');
  // What a letter is, and which is its small one, changes with Unicode: another Node may bring another.
  const versions = [CONTENT_VERSION, MASKING_VERSION, process.versions.unicode];
  const facts = [...versions, policyHash(policy), variant, policy.epoch, keyCheck];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}
