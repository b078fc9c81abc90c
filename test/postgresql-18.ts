import { embeddedServer, skipUnlessEmbedded } from './embedded-postgresql.ts';

const server = embeddedServer(18);

/** Where `npm run provide-postgresql-18` puts a server. */
export const POSTGRESQL_18_PROGRAMS = server.programs;

export const SKIP_REASON_18 = skipUnlessEmbedded([server], 'npm run provide-postgresql-18');
