/** Whose server, and which one: `{ product: 'MariaDB', version: '10.11.6' }`. */
export interface ServerVersion {
  product: 'MariaDB' | 'MySQL';
  version: string;
}

/** Bytes at the beginning of a dump that say of which server it is. */
export const HEAD = 4096;

/** What mysqldump, mariadb-dump and phpMyAdmin write at the head of a dump; undefined: nothing. */
export function dumpedVersion(head: string): ServerVersion | undefined {
  // Servers of MariaDB have told old clients that they were 5.5.5 first.
  const said =
    /^-- Server version:?\s+(?:5\.5\.5-)?(\d+(?:\.\d+)+)(.*)$/m.exec(head) ??
    /^-- (?:MySQL|MariaDB) dump .*Distrib (\d+(?:\.\d+)+)(.*)$/m.exec(head);
  if (said?.[1] === undefined) return undefined;
  // Some leave the name out; the numbers of MySQL are lower.
  const isMariadb = /MariaDB/i.test(said[2] ?? '') || Number.parseInt(said[1], 10) >= 10;
  return { product: isMariadb ? 'MariaDB' : 'MySQL', version: said[1] };
}

/** What a server says with `--version`; undefined: something else. */
export function programVersion(said: string): ServerVersion | undefined {
  const found = /\bVer (\d+(?:\.\d+)+)(\S*)/.exec(said);
  if (found?.[1] === undefined) return undefined;
  return { product: /MariaDB/i.test(found[2] ?? '') ? 'MariaDB' : 'MySQL', version: found[1] };
}

/** Whether a server knows whatever the other one's dump may hold: of the same product, and not older. */
export function takesAllOf(server: ServerVersion, dumped: ServerVersion): boolean {
  return server.product === dumped.product && compareVersions(server.version, dumped.version) >= 0;
}

/** By release, of which the third number does not bring anything that a dump holds. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}

export function named({ product, version }: ServerVersion): string {
  return `${product} ${version}`;
}
