import type { SqlDialect } from './ports/service-download.ts';

/** Dumps say what they are in their first lines. Bytes. */
export const DUMP_BEGINNING = 4096;
const MOST_LINES = 20;

/**
 * Whose plain SQL dump begins like this: by the comments that pg_dump, mysqldump and mariadb-dump begin with, or the line by which MariaDB's
 * dumps (10.5.25, 11.4.2 and later) switch commands of the client off. A dump of a whole server (pg_dumpall) is none: it connects to one
 * database after the other.
 */
export function dumpDialect(beginning: string): SqlDialect | undefined {
  for (const line of beginning.split(/\r?\n/, MOST_LINES)) {
    if (line === '-- PostgreSQL database dump') return 'postgresql';
    if (/^-- (MySQL|MariaDB) dump /.test(line) || SANDBOX.test(line)) return 'mysql';
    if (line === CLUSTER_DUMP || !PASSED_OVER.test(line)) return undefined;
  }
  return undefined;
}

/** What pg_dumpall begins with. */
export const CLUSTER_DUMP = '-- PostgreSQL database cluster dump';
const SANDBOX = /^\/\*[!M]+\d*\\- enable the sandbox mode \*\/\s*$/;
const PASSED_OVER = /^(--.*|\/\*M?!\d+.*|\\restrict .*|\s*)$/;
