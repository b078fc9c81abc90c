import type { ContentSchema, TableSchema } from '../content-schema.ts';
import { tableName } from '../table-name.ts';
import type { DumpStatement } from './dump-statement.ts';
import { sameName } from './dump-text.ts';
import type { InsertHeader } from './insert-header.ts';
import type { DumpCharset } from './literal.ts';
import { alteredTable, type DefinedColumn, type TableDefinition } from './table-definition.ts';
import { unreadable } from './unreadable.ts';

/** The tables that a dump has made so far, and how its texts are to be read. */
export class DumpTables {
  readonly #tables = new Map<string, TableDefinition>();
  #charset: DumpCharset = 'utf8';

  get charset(): DumpCharset {
    return this.#charset;
  }

  get definitions(): Iterable<TableDefinition> {
    return this.#tables.values();
  }

  /** Takes in what a statement says. @throws HoldfastError `variant-content-unreadable` */
  read(statement: Buffer, said: DumpStatement): void {
    switch (said.kind) {
      case 'table': {
        const { table } = said.definition;
        if (this.#tables.has(table)) throw unreadable(`table ${table} is made twice`, { table });
        this.#tables.set(table, said.definition);
        break;
      }
      case 'dropped':
        for (const table of said.tables) this.#tables.delete(table);
        break;
      case 'altered':
        this.#tables.set(said.table, alteredTable(statement, said.changes, this.definition(said.table)));
        break;
      case 'index':
        if (said.isUnique) this.#addUnique(said);
        break;
      case 'charset':
        this.#charset = charsetNamed(said.charset);
        break;
      default:
    }
  }

  /** @throws HoldfastError where the dump has not made the table before */
  definition(table: string): TableDefinition {
    const found = this.#tables.get(table);
    if (found !== undefined) return found;
    throw unreadable(`it speaks of table ${table} and does not say before which columns that has (--no-create-info)`, {
      table,
    });
  }

  /**
   * The columns of the rows behind a header, in their order. Rows by mariadb-dump have values for columns that are computed too; those by mysqldump do not, and
   * name the others.
   * @throws HoldfastError where they are not the table's
   */
  columnsOf({ table, columns }: InsertHeader): readonly DefinedColumn[] {
    const definition = this.definition(table);
    if (columns === undefined) return definition.columns;
    const found = columns.map((name) => {
      const column = definition.columns.find((each) => sameName(each.name) === sameName(name));
      if (column === undefined)
        throw unreadable(`rows of table ${table} have a column ${name}, which its definition has not`, { table });
      return column;
    });
    if (new Set(found).size !== found.length)
      throw unreadable(`rows of table ${table} have the same column twice`, { table });
    return found;
  }

  schema(): ContentSchema {
    return { dialect: 'mysql', tables: [...this.#tables.values()].map((definition) => this.#tableSchema(definition)) };
  }

  #tableSchema({ table, columns, uniqueKeys, foreignKeys }: TableDefinition): TableSchema {
    return {
      name: tableName([table]),
      columns: columns.map(({ isBinary: _, charset: __, ...column }) => column),
      uniqueKeys,
      foreignKeys: foreignKeys.map(({ name, columns: own, target, targetTable, targetColumns }) => {
        const definition = this.#tables.get(targetTable);
        const primary = definition?.uniqueKeys.find(({ isPrimary }) => isPrimary)?.columns ?? [];
        return {
          name,
          columns: own,
          target,
          targetColumns: spelt(definition, targetColumns.length > 0 ? targetColumns : primary),
        };
      }),
      isPartitioned: false,
    };
  }

  #addUnique({ table, name, columns, isExpression }: Extract<DumpStatement, { kind: 'index' }>): void {
    const definition = this.definition(table);
    const known = new Map(definition.columns.map((column) => [sameName(column.name), column.name]));
    const own = columns.flatMap((column) => known.get(sameName(column)) ?? []);
    const key = { name, columns: [...new Set(own)], isPrimary: false, isExpression };
    this.#tables.set(table, { ...definition, uniqueKeys: [...definition.uniqueKeys, key] });
  }
}

function spelt(definition: TableDefinition | undefined, names: readonly string[]): string[] {
  return names.map(
    (name) => definition?.columns.find((column) => sameName(column.name) === sameName(name))?.name ?? name,
  );
}

function charsetNamed(name: string): DumpCharset {
  if (['utf8', 'utf8mb3', 'utf8mb4', 'binary', 'ascii', 'default'].includes(name)) return 'utf8';
  if (name === 'latin1') return 'latin1';
  throw unreadable(`its texts are in the character set ${name}; make it with --default-character-set=utf8mb4`);
}
