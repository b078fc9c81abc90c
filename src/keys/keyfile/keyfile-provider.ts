import { hkdfSync, randomBytes } from 'node:crypto';
import type { KeyProvider } from '../../core/ports/key-provider.ts';
import { readKeyFile } from './key-file.ts';

/** Wraps with HKDF-SHA-256 (RFC 5869) of a key file's bytes under the slot's salt. */
export function createKeyFileProvider(path: string): KeyProvider {
  let secret: Promise<Buffer> | undefined;
  const wrappingKey = async (salt: Buffer): Promise<Uint8Array> => {
    secret ??= readKeyFile(path);
    return Buffer.from(hkdfSync('sha256', await secret, salt, 'holdfast key file slot', 32));
  };
  return {
    kind: 'keyfile',
    async createWrappingKey() {
      const salt = randomBytes(16);
      return { parameters: { salt: salt.toString('base64') }, wrappingKey: await wrappingKey(salt) };
    },
    async wrappingKeyFor(slot) {
      const { salt } = slot.parameters;
      if (slot.kind !== 'keyfile' || typeof salt !== 'string') return undefined;
      return wrappingKey(Buffer.from(salt, 'base64'));
    },
  };
}
