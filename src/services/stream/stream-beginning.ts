import { CLUSTER_DUMP, dumpDialect } from '../../core/dump-dialect.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';

/** Whose plain SQL dump a stream is by its first bytes, or what it is instead. */
export function streamDialect(beginning: Buffer): { dialect: SqlDialect } | { reason: string } {
  for (const { magic, name, instead } of PACKED)
    if (beginning.subarray(0, magic.length).equals(magic))
      return { reason: `it is ${name}. Download it as \`bytes\`, and ${instead}.` };
  const text = beginning.toString('latin1');
  const dialect = dumpDialect(text);
  if (dialect !== undefined) return { dialect };
  return { reason: text.split(/\r?\n/, CLUSTER_LINES).includes(CLUSTER_DUMP) ? CLUSTER : UNKNOWN };
}

const CLUSTER_LINES = 3;
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
