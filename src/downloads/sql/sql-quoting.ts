/** A string of PostgreSQL that means the same whatever standard_conforming_strings is. */
export function postgresqlString(text: string): string {
  const escaped = text
    .replaceAll('\0', '')
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n');
  return `E'${escaped}'`;
}

/** Text between two tags, of which the text holds none. */
export function dollarQuoted(text: string): string {
  for (let number = 0; ; number++) {
    const tag = number === 0 ? '$holdfast$' : `$holdfast${number}$`;
    // A dollar sign at the end would become part of the tag behind it.
    if (!text.includes(tag.slice(0, -1))) return `${tag}${text}${tag}`;
  }
}

/** For `--` comments and for arguments of client commands: one line, without control characters. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}

/** An argument of a psql command. */
export function psqlArgument(text: string): string {
  return `'${oneLine(text).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** A string of MySQL in at most 128 characters, which is all that a condition's message may have. */
export function mysqlMessage(text: string): string {
  const characters = [...oneLine(text)];
  const shown = characters.length > 128 ? `${characters.slice(0, 127).join('')}…` : characters.join('');
  // Neither a backslash nor the marks of comments: their meaning depends on modes of server and client.
  const harmless = shown.replaceAll('\\', '/').replaceAll('*/', '* /').replaceAll('/*', '/ *');
  return `'${harmless.replaceAll("'", "''")}'`;
}
