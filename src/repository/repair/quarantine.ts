import { createHash } from 'node:crypto';
import type { Storage } from '../../core/ports/storage.ts';

/**
 * Keeps what is about to be replaced or taken away: under `quarantine/`, its own key and the beginning of its bytes' SHA-256,
 * so that several damages of one object lie side by side. Nothing reads it but people.
 * @returns the key
 */
export async function quarantine(storage: Storage, key: string, bytes: Uint8Array): Promise<string> {
  const name = `quarantine/${key}.${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
  await storage.putNew(name, bytes);
  return name;
}
