import { z } from 'zod';
import type { ContentSchema } from './content-schema.ts';

const family = z.enum([
  ...(['text', 'integer', 'numeric', 'boolean', 'date', 'timestamp', 'time', 'interval', 'uuid', 'json'] as const),
  ...(['bytes', 'array', 'hstore', 'enum', 'inet', 'mac', 'xml', 'search', 'geometry', 'other'] as const),
]);
const names = z.array(z.string());

const schema = z.strictObject({
  dialect: z.enum(['postgresql', 'mysql', 'sqlite', 'csv']),
  tables: z.array(
    z.strictObject({
      name: z.string(),
      columns: z.array(
        z.strictObject({
          name: z.string(),
          type: z.string(),
          family,
          maxLength: z.number().optional(),
          isNullable: z.boolean(),
          isGenerated: z.boolean(),
          allowedValues: names.optional(),
        }),
      ),
      uniqueKeys: z.array(
        z.strictObject({ name: z.string(), columns: names, isPrimary: z.boolean(), isExpression: z.boolean() }),
      ),
      foreignKeys: z.array(
        z.strictObject({ name: z.string(), columns: names, target: z.string(), targetColumns: names }),
      ),
      parent: z.string().optional(),
      isPartitioned: z.boolean(),
      dropOnly: z.string().optional(),
    }),
  ),
});

/** Raise it where a schema that is read from the same content becomes another one. */
export const SCHEMA_SIDECAR = 'schema-1';

export function schemaBytes(content: ContentSchema): Buffer {
  return Buffer.from(JSON.stringify(content));
}

/** Undefined where the bytes are none that this version writes: the schema is then read again. */
export function storedSchema(bytes: Buffer): ContentSchema | undefined {
  try {
    return withoutUndefined(schema.parse(JSON.parse(bytes.toString('utf8'))));
  } catch {
    return undefined;
  }
}

/** zod's optional members may be undefined; ours are there or not. */
function withoutUndefined(parsed: z.output<typeof schema>): ContentSchema {
  return {
    dialect: parsed.dialect,
    tables: parsed.tables.map(({ parent, dropOnly, columns, ...table }) => ({
      ...table,
      ...(dropOnly === undefined ? {} : { dropOnly }),
      ...(parent === undefined ? {} : { parent }),
      columns: columns.map(({ maxLength, allowedValues, ...column }) => ({
        ...column,
        ...(maxLength === undefined ? {} : { maxLength }),
        ...(allowedValues === undefined ? {} : { allowedValues }),
      })),
    })),
  };
}
