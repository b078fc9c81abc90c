/**
 * Names of schemas and tables as the configuration gives them: exact, but that `*` stands for any characters. In
 * `schema.table` a part that holds a dot is put into double quotes.
 */

export interface TableName {
  schema: string;
  table: string;
}

const TABLE_NAME = /^(?:"((?:[^"]|"")+)"|([^".]+))\.(?:"((?:[^"]|"")+)"|([^"]+))$/;

/** @returns undefined where the text is no `schema.table` */
export function parseTableName(text: string): TableName | undefined {
  const match = TABLE_NAME.exec(text);
  if (match === null) return undefined;
  const [, quotedSchema, schema, quotedTable, table] = match;
  return { schema: unquoted(quotedSchema) ?? schema ?? '', table: unquoted(quotedTable) ?? table ?? '' };
}

/** As pg_dump reads patterns: what stands in double quotes is literal, a `*` outside of them is not. */
export function toolPattern(name: string): string {
  return name
    .split('*')
    .map((part) => (part === '' ? '' : `"${part.replaceAll('"', '""')}"`))
    .join('*');
}

export function toolTablePattern({ schema, table }: TableName): string {
  return `${toolPattern(schema)}.${toolPattern(table)}`;
}

export function matchesName(name: string, pattern: string): boolean {
  const expression = pattern
    .split('*')
    .map((part) => RegExp.escape(part))
    .join('.*');
  return new RegExp(`^${expression}$`, 's').test(name);
}

export function matchesTable(name: TableName, pattern: TableName): boolean {
  return matchesName(name.schema, pattern.schema) && matchesName(name.table, pattern.table);
}

function unquoted(text: string | undefined): string | undefined {
  return text?.replaceAll('""', '"');
}
