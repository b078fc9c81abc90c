import { createHash } from 'node:crypto';
import { canonicalText } from './canonical-json.ts';
import type { Drill } from './drill.ts';
import type { JsonValue } from './json-value.ts';

/** SHA-256 of the canonical JSON (RFC 8785) of the evidence, in hex. */
export function evidenceHash(drill: Drill): string {
  const plain = JSON.parse(JSON.stringify(drill)) as JsonValue;
  return createHash('sha256').update(canonicalText(plain)).digest('hex');
}
