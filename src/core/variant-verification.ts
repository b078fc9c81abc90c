import type { SqlDialect } from './download-format.ts';
import { HoldfastError } from './errors.ts';
import type { VariantVerifier } from './ports/variant-verifier.ts';

/**
 * Proves variants by the means that there are for each kind of content.
 * @param loading by dialect, what loads its dumps; asked for when the first one is there
 */
export function createVariantVerification(
  loading: Readonly<Record<SqlDialect, () => Promise<VariantVerifier>>>,
): VariantVerifier {
  return {
    async verify(material, bytes, signal) {
      const { format, dialect } = material;
      // Whoever writes one reads it again, integrity and references, before the first byte of it is given.
      if (format === 'sqlite') return drained(bytes);
      if (dialect !== undefined) return (await loading[dialect]()).verify(material, bytes, signal);
      const message = `The policy wants the variant to be loaded before anybody gets it (verify: load). Content of the kind ${format} is not loaded by Holdfast: only dumps of databases and SQLite databases are proven so. Take verify out of the policy, and load a copy yourself.`;
      throw new HoldfastError('unsupported', 'variant-verifier-missing', message);
    },
  };
}

/**
 * For verifiers: looks for the server that a variant is to be loaded into.
 * @throws HoldfastError `variant-verifier-missing` (unsupported) where `find` throws a HoldfastError, with what that says
 */
export async function serverToLoadInto<Programs>(find: () => Promise<Programs>): Promise<Programs> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const message = `The policy wants the variant to be loaded before anybody gets it (verify: load). ${error.message} Or take that out of the policy.`;
    throw new HoldfastError('unsupported', 'variant-verifier-missing', message, { cause: error });
  }
}

async function drained(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of bytes);
}
