import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../content-schema.ts';
import { tableName, tableNameParts } from '../table-name.ts';
import { builtInFamily, builtInLength, readType, type TypeUse } from './column-type.ts';
import { Definition, stringOf } from './definition.ts';
import { listedValues } from './listed-values.ts';
import {
  addUniqueKey,
  notNull,
  readConstraint,
  readElements,
  readTableItem,
  type TableDefinition,
} from './table-definition.ts';
import { unreadable } from './unreadable.ts';

type MadeType =
  | { kind: 'enum'; labels: string[] }
  | { kind: 'domain'; type: TypeUse; isNullable: boolean; listed?: string[] }
  | { kind: 'composite'; attributes: Definition[] }
  | { kind: 'other' };

/** What leaves a table's columns as they are. */
const KEPT_ACTIONS =
  /^(owner to|enable|disable|cluster|set (statistics|storage|compression|default|\(|without|with|tablespace|logged|unlogged|access|expression)|reset|replica|force|no force|validate|drop (constraint|default|expression|identity)|add generated|options) /;

/** Learns from the statements of a dump what tables there are. Statements that make no table, column, key or type of one are passed over. */
export class SchemaReader {
  readonly #tables = new Map<string, TableDefinition>();
  readonly #types = new Map<string, MadeType>();
  /** What names without a schema belong to. */
  #searched = 'public';
  #qualifiesAll = false;

  /** @throws HoldfastError `variant-content-unreadable` */
  read(statement: Buffer, firstWord: string): void {
    if (firstWord === 'create') this.#create(Definition.of(statement));
    else if (firstWord === 'alter') this.#alter(Definition.of(statement));
    else if (firstWord === 'set') this.#set(Definition.of(statement));
    else if (firstWord === 'select') this.#select(statement);
  }

  /** A table as policies name it. @param parts decoded */
  nameOf(parts: readonly string[]): string {
    return tableName(parts.length === 1 ? [this.#searched, ...parts] : parts.slice(-2));
  }

  /** Its schema and its own name. */
  partsOf(name: string): string[] {
    return tableNameParts(name);
  }

  /** True where the dump writes the schema of everything that is not PostgreSQL's own, as pg_dump does since 2018. */
  get qualifiesAll(): boolean {
    return this.#qualifiesAll;
  }

  table(name: string): TableDefinition | undefined {
    return this.#tables.get(name);
  }

  /** Notes a table of which there are rows, but no definition: an extension makes it. */
  noteRows(name: string, columns: readonly string[]): void {
    if (this.#tables.has(name)) return;
    const type: TypeUse = { text: 'unknown', name: ['unknown'], isArray: false };
    const made = this.#add(name);
    made.isOfRows = true;
    made.columns.push(...columns.map((column) => ({ name: column, type, isNullable: true, isGenerated: false })));
  }

  schema(): ContentSchema {
    return { dialect: 'postgresql', tables: [...this.#tables.values()].map((table) => this.#schemaOf(table)) };
  }

  #set(definition: Definition): void {
    definition.at++;
    if (!definition.take('search_path')) return;
    this.#qualifiesAll = false;
    definition.at++;
    const first = stringOf(definition.tokens[definition.at]) ?? definition.identifier();
    if (first !== undefined && first !== '' && first !== 'pg_catalog') this.#searched = first;
  }

  /** `SELECT pg_catalog.set_config('search_path', '', false);` */
  #select(statement: Buffer): void {
    if (/^select pg_catalog\.set_config\('search_path', *'', false\)/i.test(statement.toString('latin1', 0, 80)))
      this.#qualifiesAll = true;
  }

  #create(definition: Definition): void {
    definition.at++;
    definition.take('global') || definition.take('local');
    definition.take('temporary') || definition.take('temp') || definition.take('unlogged');
    if (definition.take('table')) this.#createTable(definition);
    else if (definition.take('foreign', 'table')) return;
    else if (definition.take('type')) this.#createType(definition);
    else if (definition.take('domain')) this.#createDomain(definition);
    else if (definition.take('unique', 'index')) this.#createUniqueIndex(definition);
  }

  #createTable(definition: Definition): void {
    const doesIfAbsent = definition.take('if', 'not', 'exists');
    const parts = definition.name();
    if (parts === undefined) throw unreadable('a table has a name that is not understood');
    const name = this.nameOf(parts);
    if (this.#tables.has(name)) {
      if (doesIfAbsent) return;
      throw unreadable(`table "${name}" is made twice`);
    }
    const table = this.#add(name);
    if (definition.take('partition', 'of')) this.#inherit(table, definition.name());
    else if (definition.take('of')) this.#typed(table, definition.name());
    else if (!definition.is('(')) throw unreadable(`table "${name}" is made of a query`);
    if (definition.is('('))
      for (const item of definition.list()) readTableItem(table, item, (target) => this.nameOf(target));
    this.#tableOptions(table, definition);
  }

  #tableOptions(table: TableDefinition, definition: Definition): void {
    while (!definition.isAtEnd) {
      if (definition.take('inherits')) {
        const own = table.columns.splice(0);
        for (const parent of definition.list()) this.#inherit(table, parent.name());
        for (const column of own) {
          const inherited = table.columns.findIndex(({ name }) => name === column.name);
          if (inherited < 0) table.columns.push(column);
          else table.columns[inherited] = column;
        }
      } else if (definition.take('partition', 'by')) table.isPartitioned = true;
      else if (definition.is('as')) throw unreadable(`table "${table.name}" is made of a query`);
      else if (definition.is('(')) definition.group();
      else definition.at++;
    }
  }

  #typed(table: TableDefinition, parts: string[] | undefined): void {
    const type = this.#types.get(this.nameOf(parts ?? []));
    if (type?.kind !== 'composite') throw unreadable(`table "${table.name}" is of a type that is not there`);
    for (const attribute of type.attributes)
      readTableItem(table, new Definition(attribute.tokens), (name) => this.nameOf(name));
  }

  #inherit(table: TableDefinition, parts: string[] | undefined): void {
    const parent = this.#tables.get(this.nameOf(parts ?? []));
    if (parent === undefined) throw unreadable(`table "${table.name}" inherits from a table that is not there`);
    table.parent ??= parent.name;
    for (const column of parent.columns)
      if (!table.columns.some(({ name }) => name === column.name)) table.columns.push({ ...column });
    for (const [column, values] of parent.listed) table.listed.set(column, values);
  }

  #createType(definition: Definition): void {
    const name = definition.name();
    if (name === undefined) return;
    let made: MadeType = { kind: 'other' };
    if (definition.take('as', 'enum'))
      made = { kind: 'enum', labels: definition.list().map((item) => stringOf(item.tokens[0]) ?? '') };
    else if (definition.take('as') && definition.is('(')) made = { kind: 'composite', attributes: definition.list() };
    this.#types.set(this.nameOf(name), made);
  }

  #createDomain(definition: Definition): void {
    const name = definition.name();
    definition.take('as');
    const type = readType(definition);
    if (name === undefined || type === undefined) return;
    const domain: MadeType = { kind: 'domain', type, isNullable: true };
    while (!definition.isAtEnd) {
      if (definition.take('not', 'null')) domain.isNullable = false;
      else if (definition.take('check')) {
        const listed = listedValues(definition.group());
        if (listed?.column === 'value') domain.listed = listed.values;
      } else if (definition.is('(')) definition.group();
      else definition.at++;
    }
    this.#types.set(this.nameOf(name), domain);
  }

  #createUniqueIndex(definition: Definition): void {
    definition.take('if', 'not', 'exists');
    const index = definition.is('on') ? [''] : definition.name();
    definition.take('on');
    definition.take('only');
    const table = this.#tables.get(this.nameOf(definition.name() ?? []));
    if (table === undefined || !definition.skipTo('(')) return;
    addUniqueKey(table, { name: index?.at(-1) ?? '', isPrimary: false, ...readElements(table, definition) });
  }

  #alter(definition: Definition): void {
    definition.at++;
    if (definition.take('type')) this.#alterType(definition);
    if (!definition.take('table')) return;
    definition.take('if', 'exists');
    definition.take('only');
    const name = definition.name();
    const table = name === undefined ? undefined : this.#tables.get(this.nameOf(name));
    // Older versions of pg_dump say TABLE of views and sequences too.
    if (table === undefined) return;
    definition.take('*');
    do this.#action(table, definition);
    while (definition.take(','));
    if (!definition.isAtEnd) throw unreadable(`table "${table.name}" is altered in a way that is not understood`);
  }

  #alterType(definition: Definition): void {
    const type = this.#types.get(this.nameOf(definition.name() ?? []));
    if (type?.kind !== 'enum' || !definition.take('add', 'value')) return;
    definition.take('if', 'not', 'exists');
    const label = stringOf(definition.tokens[definition.at]);
    if (label !== undefined && !type.labels.includes(label)) type.labels.push(label);
  }

  #action(table: TableDefinition, definition: Definition): void {
    const begin = definition.at;
    definition.skipTo(',');
    const action = new Definition(definition.tokens.slice(begin, definition.at));
    if (action.take('add')) this.#added(table, action);
    else if (action.take('alter')) this.#altered(table, action);
    else if (action.take('attach', 'partition')) this.#attached(table, action);
    else if (action.take('inherit')) this.#inherit(table, action.name());
    else if (!isKeptAction(action))
      throw unreadable(`table "${table.name}" is altered in a way that is not understood`);
  }

  #added(table: TableDefinition, action: Definition): void {
    const naming = (parts: readonly string[]) => this.nameOf(parts);
    if (action.take('column')) {
      action.take('if', 'not', 'exists');
      readTableItem(table, action, naming);
    } else if (action.is('constraint')) readConstraint(table, action, naming);
    else readTableItem(table, action, naming);
  }

  #altered(table: TableDefinition, action: Definition): void {
    if (action.take('constraint')) return;
    action.take('column');
    const column = action.identifier();
    const found = table.columns.find(({ name }) => name === column);
    if (found === undefined) throw unreadable(`table "${table.name}" has a column altered that is not there`);
    if (action.take('set', 'not', 'null')) notNull(table, [found.name]);
    else if (action.take('drop', 'not', 'null')) found.isNullable = true;
    else if (action.take('add', 'generated')) found.isNullable = false;
    else if (!isKeptAction(action))
      throw unreadable(`column "${found.name}" of table "${table.name}" is altered in a way that is not understood`);
  }

  #attached(table: TableDefinition, action: Definition): void {
    const partition = this.#tables.get(this.nameOf(action.name() ?? []));
    if (partition !== undefined) partition.parent = table.name;
  }

  #add(name: string): TableDefinition {
    const table: TableDefinition = {
      name,
      columns: [],
      uniqueKeys: [],
      foreignKeys: [],
      listed: new Map(),
      isPartitioned: false,
      isOfRows: false,
    };
    this.#tables.set(name, table);
    return table;
  }

  #schemaOf(table: TableDefinition): TableSchema {
    return {
      name: table.name,
      columns: table.columns.map((column) => {
        const facts = this.#factsOf(column.type, 0);
        const allowedValues = table.listed.get(column.name) ?? facts.allowedValues;
        return {
          name: column.name,
          type: column.type.text,
          family: facts.family,
          ...(facts.maxLength === undefined ? {} : { maxLength: facts.maxLength }),
          isNullable: column.isNullable && facts.isNullable,
          isGenerated: column.isGenerated,
          ...(allowedValues === undefined ? {} : { allowedValues }),
        };
      }),
      uniqueKeys: table.uniqueKeys,
      foreignKeys: this.#foreignKeysOf(table),
      ...(table.parent === undefined ? {} : { parent: table.parent }),
      isPartitioned: table.isPartitioned,
    };
  }

  /** Those of the table whose partition it is are its own too, although a dump says them of that one alone. */
  #foreignKeysOf(table: TableDefinition): ForeignKey[] {
    const own = table.foreignKeys.map((key) => this.#targeted(key));
    const parent = this.#tables.get(table.parent ?? '');
    if (parent?.isPartitioned !== true) return own;
    const same = (one: ForeignKey, other: ForeignKey) =>
      one.target === other.target && one.columns.join('\n') === other.columns.join('\n');
    return [...own, ...this.#foreignKeysOf(parent).filter((key) => !own.some((each) => same(each, key)))];
  }

  #targeted(key: ForeignKey): ForeignKey {
    if (key.targetColumns.length > 0) return key;
    const primary = this.#tables.get(key.target)?.uniqueKeys.find(({ isPrimary }) => isPrimary);
    return { ...key, targetColumns: primary?.columns ?? [] };
  }

  #factsOf(type: TypeUse, depth: number): Pick<ColumnSchema, 'family' | 'maxLength' | 'isNullable' | 'allowedValues'> {
    const made = this.#types.get(this.nameOf(type.name));
    if (type.isArray || made === undefined || depth > 20) {
      const maxLength = builtInLength(type);
      return { family: builtInFamily(type), isNullable: true, ...(maxLength === undefined ? {} : { maxLength }) };
    }
    if (made.kind === 'enum') return { family: 'enum', isNullable: true, allowedValues: made.labels };
    if (made.kind !== 'domain') return { family: 'other', isNullable: true };
    const facts = this.#factsOf(made.type, depth + 1);
    const allowedValues = made.listed ?? facts.allowedValues;
    return {
      ...facts,
      isNullable: facts.isNullable && made.isNullable,
      ...(allowedValues === undefined ? {} : { allowedValues }),
    };
  }
}

function isKeptAction(action: Definition): boolean {
  const words = action.tokens.slice(action.at, action.at + 3).map(({ text }) => text);
  return KEPT_ACTIONS.test(`${words.join(' ')} `);
}
