import { HoldfastError } from './errors.ts';
import type { VariantVerifier } from './ports/variant-verifier.ts';

/**
 * Proves variants by the means that there are for each kind of content.
 * @param postgresql loads dumps of PostgreSQL; asked for when the first one is there
 */
export function createVariantVerification(postgresql: () => Promise<VariantVerifier>): VariantVerifier {
  return {
    async verify(material, bytes, signal) {
      const { format, dialect } = material;
      // Whoever writes one reads it again, integrity and references, before the first byte of it is given.
      if (format === 'sqlite') return drained(bytes);
      if (dialect === 'postgresql') return (await postgresql()).verify(material, bytes, signal);
      const what = dialect === 'mysql' ? 'Dumps of MySQL and MariaDB are' : `Content of the kind ${format} is`;
      const message = `The policy wants the variant to be loaded before anybody gets it (verify: load). ${what} not loaded by Holdfast: only PostgreSQL's dumps and SQLite databases are proven so. Take verify out of the policy, and load a copy yourself.`;
      throw new HoldfastError('unsupported', 'variant-verifier-missing', message);
    },
  };
}

async function drained(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of bytes);
}
