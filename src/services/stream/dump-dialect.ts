import type { SqlDialect } from '../../core/ports/service-download.ts';

/**
 * Whose plain SQL dump a stream is, by its first bytes: the comments that pg_dump, mysqldump and mariadb-dump begin with, or the line by
 * which MariaDB's dumps (10.5.25, 11.4.2 and later) switch commands of the client off.
 */
export function dumpDialect(beginning: Buffer): { dialect: SqlDialect } | { reason: string } {
  for (const { magic, name, instead } of PACKED)
    if (beginning.subarray(0, magic.length).equals(magic))
      return { reason: `it is ${name}. Download it as \`bytes\`, and ${instead}.` };
  const lines = beginning.toString('latin1').split(/\r?\n/).slice(0, MOST_LINES);
  for (const line of lines) {
    if (line === '-- PostgreSQL database dump') return { dialect: 'postgresql' };
    if (line === '-- PostgreSQL database cluster dump') return { reason: CLUSTER };
    if (/^-- (MySQL|MariaDB) dump /.test(line) || /^\/\*[!M]+\d*\\- enable the sandbox mode \*\/\s*$/.test(line))
      return { dialect: 'mysql' };
    if (!/^(--.*|\s*)$/.test(line)) break;
  }
  return { reason: UNKNOWN };
}

const MOST_LINES = 20;
const CLUSTER =
  'it is a dump of a whole server by pg_dumpall, which connects to one database after the other. Download it as `bytes`, or back databases up one by one with pg_dump.';
const UNKNOWN =
  'it does not begin as dumps of pg_dump, mysqldump or mariadb-dump do. Download it as `bytes`, and look at what it is.';

const PACKED: readonly { magic: Buffer; name: string; instead: string }[] = [
  {
    magic: Buffer.from('PGDMP'),
    name: "an archive of pg_dump's custom format",
    instead: 'give it to pg_restore',
  },
  { magic: Buffer.from([0x1f, 0x8b]), name: 'compressed with gzip', instead: 'unpack it with `gzip -d`' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), name: 'compressed with zstd', instead: 'unpack it with `zstd -d`' },
  {
    magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
    name: 'compressed with xz',
    instead: 'unpack it with `xz -d`',
  },
  { magic: Buffer.from('BZh'), name: 'compressed with bzip2', instead: 'unpack it with `bzip2 -d`' },
];
