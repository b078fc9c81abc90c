import { embeddedServer, skipUnlessEmbedded } from './embedded-postgresql.ts';

/** Servers older than Debian's: 12 is the oldest whose rows are read beside pg_dump, 13 the oldest that sends a backup manifest. */
export const OLD_SERVERS = [12, 13, 14].map(embeddedServer);

export const SKIP_REASON_OLD = skipUnlessEmbedded(OLD_SERVERS, 'npm run provide-postgresql-old');
