import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

/** Where `npm run provide-postgresql-18` puts a server. */
export const POSTGRESQL_18 = fileURLToPath(new URL('../node_modules/.cache/postgresql-18', import.meta.url));
export const POSTGRESQL_18_PROGRAMS = `${POSTGRESQL_18}/native/bin`;

export const SKIP_REASON_18 = existsSync(`${POSTGRESQL_18_PROGRAMS}/postgres`)
  ? SKIP_CLOSED_CHECKOUT
  : 'THE POSTGRESQL 18 SERVER IS MISSING, SO NONE OF THIS WAS TESTED. Run: npm run provide-postgresql-18';
