import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../../content/content-schema.ts';

/** A schema by its names. */
export class SchemaView {
  readonly schema: ContentSchema;
  readonly #tables = new Map<string, { table: TableSchema; columns: ReadonlyMap<string, ColumnSchema> }>();

  constructor(schema: ContentSchema) {
    this.schema = schema;
    for (const table of schema.tables)
      this.#tables.set(table.name, { table, columns: new Map(table.columns.map((column) => [column.name, column])) });
  }

  table(name: string): TableSchema | undefined {
    return this.#tables.get(name)?.table;
  }

  column(table: string, column: string): ColumnSchema | undefined {
    return this.#tables.get(table)?.columns.get(column);
  }

  /** What the table is a partition of or inherits from, the nearest first. */
  ancestors(table: TableSchema): TableSchema[] {
    const found = [table];
    for (let at = table.parent; at !== undefined; ) {
      const parent = this.table(at);
      if (parent === undefined || found.includes(parent)) break;
      found.push(parent);
      at = parent.parent;
    }
    return found.slice(1);
  }

  /** Where a column of a table leads to, by each foreign key that it is part of. */
  targetsOf(table: TableSchema, column: string): { key: ForeignKey; table: TableSchema; column: ColumnSchema }[] {
    return table.foreignKeys.flatMap((key) => {
      const target = this.table(key.target);
      return key.columns.flatMap((name, index) => {
        const targetColumn = name === column ? this.column(key.target, key.targetColumns[index] ?? '') : undefined;
        return target === undefined || targetColumn === undefined ? [] : [{ key, table: target, column: targetColumn }];
      });
    });
  }
}
