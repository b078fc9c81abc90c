import { HoldfastError } from '../../core/errors.ts';

/**
 * The name of a table as a policy and a `TableSchema` write it: its parts (schema and table, or the table alone) with dots between them. A part is written in double
 * quotes, and a quote in it twice, where it would not be understood otherwise: it is empty, or holds a dot, a quote or a `*`.
 */
export function tableName(parts: readonly string[]): string {
  return parts.map((part) => (/^[^."*]+$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/**
 * The parts of a name with dots between them.
 *
 * @throws HoldfastError `table-name-invalid` (invalid)
 */
export function tableNameParts(name: string): string[] {
  const parts: string[] = [];
  const part = /"((?:[^"]|"")*)"|([^."]+)/y;
  for (;;) {
    const found = part.exec(name);
    if (found === null) throw invalidName(name);
    parts.push(found[1]?.replaceAll('""', '"') ?? (found[2] as string));
    if (part.lastIndex === name.length) return parts;
    if (name[part.lastIndex] !== '.') throw invalidName(name);
    part.lastIndex++;
  }
}

function invalidName(name: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'table-name-invalid',
    `\`${name.slice(0, 200)}\` is no name of a table. Write it as in \`public.users\`, and a part that holds a dot or a quote in double quotes: \`"we.ird".users\`.`,
  );
}
