import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skipUnless } from './installed-programs.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

/** Where `npm run provide-mysql` puts a server of MySQL with its client tools. */
export const MYSQL = fileURLToPath(new URL('../node_modules/.cache/mysql', import.meta.url));
/** Scripts that run mysqld, mysql and mysqldump with the libraries that came with them. */
export const MYSQL_PROGRAMS = `${MYSQL}/bin`;
/** Is there when all of it is, and says which packages it was made of. */
export const MYSQL_PROVIDED = `${MYSQL}/provided`;

export const MYSQL_SKIP_REASON =
  skipUnless(existsSync(MYSQL_PROVIDED), 'MySQL', 'npm run provide-mysql') || SKIP_CLOSED_CHECKOUT;
