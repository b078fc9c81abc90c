import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skipUnless } from './installed-programs.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

/** Where `npm run provide-postgresql-18` puts a server. */
export const POSTGRESQL_18 = fileURLToPath(new URL('../node_modules/.cache/postgresql-18', import.meta.url));
export const POSTGRESQL_18_PROGRAMS = `${POSTGRESQL_18}/native/bin`;

export const SKIP_REASON_18 =
  skipUnless(existsSync(`${POSTGRESQL_18_PROGRAMS}/postgres`), 'PostgreSQL 18', 'npm run provide-postgresql-18') ||
  SKIP_CLOSED_CHECKOUT;
