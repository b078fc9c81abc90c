import type { NeedableDefinition } from '../../../core/needed-definitions.ts';
import { identifierOf } from '../../sql/sql-tokens.ts';
import { Definition, decoded, stringOf } from './definition.ts';
import { SchemaReader } from './schema-reader.ts';
import { wholeOnly } from './unreadable.ts';

/** To what a statement belongs. Names are as `tableName` writes them. */
export type EntryRole =
  /** A setting, which holds for all that follows it. */
  | { kind: 'setting' }
  | { kind: 'extension'; schema?: string }
  | { kind: 'schema'; schema: string }
  /** Belongs to tables, and means nothing without all of them. */
  | { kind: 'tables'; tables: readonly string[]; makes?: NeedableDefinition }
  /** Makes or sets a sequence. */
  | { kind: 'sequence'; sequence: string; definition: NeedableDefinition }
  | { kind: 'needable'; definition: NeedableDefinition }
  /** Views, privileges, owners and the like: no part of a dump has them. */
  | { kind: 'left out' };

/** What there is in a dump. */
export interface FoundNames {
  /** Tables, by the partitioned table whose partitions they are; undefined for others. */
  tables: ReadonlyMap<string, string | undefined>;
  /** Views, foreign tables and the like. */
  views: ReadonlySet<string>;
  /** The table to whose column each sequence belongs. */
  owners: ReadonlyMap<string, string>;
}

/** Kinds of which nothing is in a part, by the first words after CREATE. The names of the first ones may be asked for by others. */
const VIEWS = [['recursive', 'view'], ['view'], ['materialized', 'view'], ['foreign', 'table']];
const LEFT_OUT = [
  ...[['event', 'trigger'], ['statistics'], ['language'], ['trusted'], ['procedural'], ['transform'], ['cast']],
  ...[['conversion'], ['default'], ['access', 'method'], ['foreign', 'data', 'wrapper'], ['server'], ['publication']],
  ...[['subscription'], ['user', 'mapping'], ['text', 'search', 'parser'], ['text', 'search', 'template']],
];
const NEEDABLE = [
  ...[['type'], ['domain'], ['function'], ['procedure'], ['aggregate'], ['collation']],
  ...[
    ['operator', 'class'],
    ['operator', 'family'],
  ],
  ...[
    ['text', 'search', 'configuration'],
    ['text', 'search', 'dictionary'],
  ],
];
const LEFT_OUT_WORDS = new Set(['grant', 'revoke', 'comment', 'refresh', 'analyze']);
/** What ALTER says of what parts do not have. */
const ALTERED_LEFT_OUT = [...[...VIEWS, ...LEFT_OUT], ...[['large', 'object'], ['extension'], ['schema']]];

/** Says of one statement after the other to what it belongs. */
export class EntryRoles {
  readonly #schema = new SchemaReader();
  readonly #tables = new Set<string>();
  readonly #views = new Set<string>();
  readonly #owners = new Map<string, string>();
  readonly #sequences = new Set<string>();
  /** The table of each index. */
  readonly #indexes = new Map<string, string>();

  found(): FoundNames {
    const tables = [...this.#tables].map((table) => {
      const parent = this.#schema.table(table)?.parent;
      const isPartition = parent !== undefined && this.#schema.table(parent)?.isPartitioned === true;
      return [table, isPartition ? parent : undefined] as const;
    });
    return { tables: new Map(tables), views: this.#views, owners: this.#owners };
  }

  rowsOf(parts: readonly string[]): EntryRole {
    const table = this.#full(parts.map(decoded));
    this.#tables.add(table);
    return { kind: 'tables', tables: [table] };
  }

  of(statement: Buffer, firstWord: string): EntryRole {
    const definition = Definition.of(statement);
    if (definition.isAtEnd || LEFT_OUT_WORDS.has(firstWord)) return { kind: 'left out' };
    this.#schema.read(statement, firstWord);
    definition.at = 1;
    switch (firstWord) {
      case 'set':
      case 'reset':
        return { kind: isOfRoles(definition) ? 'left out' : 'setting' };
      case 'select':
        return this.#called(definition);
      case 'create':
        return this.#created(definition, statement);
      case 'alter':
        return this.#altered(definition);
      case 'update':
        definition.take('only');
        return this.#ofTables(this.#name(definition));
      default:
        throw notUnderstood(`a statement ${firstWord.toUpperCase()}`);
    }
  }

  /** `SELECT pg_catalog.setval('public.users_id_seq', 7, true);` */
  #called(definition: Definition): EntryRole {
    const called = definition.name()?.at(-1) ?? '';
    if (called === 'set_config') return { kind: 'setting' };
    if (called.startsWith('lo_') || called === 'lowrite') return { kind: 'left out' };
    if (called !== 'setval' || !definition.take('(')) throw notUnderstood('a SELECT');
    const text = stringOf(definition.tokens[definition.at]) ?? '';
    return this.#ofSequence(Definition.of(Buffer.from(`${text} ;`)), 'SEQUENCE SET');
  }

  #created(definition: Definition, statement: Buffer): EntryRole {
    definition.take('or', 'replace');
    if (isAny(definition, LEFT_OUT)) return { kind: 'left out' };
    if (isAny(definition, VIEWS)) return this.#view(definition);
    for (const words of NEEDABLE) if (definition.take(...words)) return this.#needable(words, definition);
    if (definition.take('operator')) return operator(statement);
    if (definition.take('extension')) return extension(definition);
    if (definition.take('schema')) {
      ifNotExists(definition);
      return { kind: 'schema', schema: definition.identifier() ?? '' };
    }
    definition.take('unlogged') || definition.take('constraint') || definition.take('unique');
    if (definition.take('table')) return this.#table(definition);
    if (definition.take('sequence')) {
      ifNotExists(definition);
      return this.#ofSequence(definition, 'SEQUENCE');
    }
    if (definition.take('index')) return this.#index(definition);
    if (definition.is('trigger') || definition.is('policy')) return this.#on(definition, 'on');
    if (definition.is('rule')) return this.#on(definition, 'to');
    throw notUnderstood(`a statement CREATE ${spoken(definition)}`);
  }

  #table(definition: Definition): EntryRole {
    ifNotExists(definition);
    const [schema, name] = this.#parts(definition);
    const table = this.#full([schema, name]);
    if ((this.#schema.table(table)?.foreignKeys.length ?? 0) > 0)
      throw notUnderstood('a table with keys to others in it');
    this.#tables.add(table);
    return { kind: 'tables', tables: [table], makes: { kind: 'TABLE', schema, name } };
  }

  #view(definition: Definition): EntryRole {
    for (const words of VIEWS) if (definition.take(...words)) break;
    ifNotExists(definition);
    this.#views.add(this.#name(definition));
    return { kind: 'left out' };
  }

  #needable(words: readonly string[], definition: Definition): EntryRole {
    ifNotExists(definition);
    const [schema, name] = this.#parts(definition);
    return { kind: 'needable', definition: { kind: words.join(' ').toUpperCase(), schema, name } };
  }

  #index(definition: Definition): EntryRole {
    ifNotExists(definition);
    const index = definition.is('on') ? undefined : definition.identifier();
    if (!definition.take('on')) throw notUnderstood('an index that is not on a table');
    definition.take('only');
    const [schema, table] = this.#parts(definition);
    if (index !== undefined) this.#indexes.set(this.#full([schema, index]), this.#full([schema, table]));
    return this.#ofTables(this.#full([schema, table]));
  }

  /** The table that stands behind a word. */
  #on(definition: Definition, word: 'on' | 'to'): EntryRole {
    definition.at++;
    definition.identifier();
    if (!definition.skipTo(word)) throw notUnderstood('a trigger, policy or rule of no table');
    definition.at++;
    definition.take('only');
    return this.#ofTables(this.#name(definition));
  }

  #altered(definition: Definition): EntryRole {
    if (setsOwner(definition)) return { kind: 'left out' };
    if (definition.take('table')) return this.#alteredTable(definition);
    if (isAny(definition, ALTERED_LEFT_OUT)) return { kind: 'left out' };
    if (definition.take('index')) return this.#alteredIndex(definition);
    if (definition.take('sequence')) return this.#alteredSequence(definition);
    if (definition.is('trigger') || definition.is('policy')) return this.#on(definition, 'on');
    for (const words of NEEDABLE) if (definition.take(...words)) return this.#needable(words, definition);
    throw notUnderstood(`a statement ALTER ${spoken(definition)}`);
  }

  #alteredTable(definition: Definition): EntryRole {
    definition.take('if', 'exists');
    definition.take('only');
    const [schema, name] = this.#parts(definition);
    const table = this.#full([schema, name]);
    // Older versions of pg_dump say ALTER TABLE of views and sequences too.
    if (this.#views.has(table)) return { kind: 'left out' };
    if (this.#sequences.has(table)) throw notUnderstood('a sequence that is altered as a table');
    this.#noteNames(schema, table, definition);
    const others = otherTables(definition).map((parts) => this.#full(parts));
    return this.#ofTables(table, ...others);
  }

  /** The indexes and sequences that a constraint or an identity column makes. */
  #noteNames(schema: string, table: string, definition: Definition): void {
    const { at } = definition;
    for (const index of definition.tokens.keys()) {
      definition.at = index;
      if (definition.take('add', 'constraint'))
        this.#indexes.set(this.#full([schema, definition.identifier() ?? '']), table);
      else if (definition.take('sequence', 'name')) this.#owners.set(this.#name(definition), table);
    }
    definition.at = at;
  }

  #alteredIndex(definition: Definition): EntryRole {
    definition.take('if', 'exists');
    const indexes = [this.#name(definition)];
    if (definition.take('attach', 'partition')) indexes.push(this.#name(definition));
    const tables = indexes.map((index) => this.#indexes.get(index));
    if (tables.includes(undefined)) throw notUnderstood('an index of an unknown table');
    return this.#ofTables(...tables.filter((table) => table !== undefined));
  }

  #alteredSequence(definition: Definition): EntryRole {
    definition.take('if', 'exists');
    const { at } = definition;
    const sequence = this.#name(definition);
    const owner = definition.take('owned', 'by') ? definition.name() : undefined;
    if (owner !== undefined && owner.length > 1) {
      const table = this.#full(owner.slice(0, -1));
      this.#owners.set(sequence, table);
      return this.#ofTables(table);
    }
    definition.at = at;
    return this.#ofSequence(definition, 'SEQUENCE');
  }

  #ofSequence(definition: Definition, kind: 'SEQUENCE' | 'SEQUENCE SET'): EntryRole {
    const [schema, name] = this.#parts(definition);
    const sequence = this.#full([schema, name]);
    this.#sequences.add(sequence);
    return { kind: 'sequence', sequence, definition: { kind, schema, name } };
  }

  #ofTables(...tables: string[]): EntryRole {
    return { kind: 'tables', tables };
  }

  #name(definition: Definition): string {
    return this.#full(this.#parts(definition));
  }

  #full(parts: readonly string[]): string {
    if (parts.length !== 2) throw notUnderstood('a name without its schema');
    return this.#schema.nameOf(parts);
  }

  /** Schema and name. What has no schema may belong to any. */
  #parts(definition: Definition): [string, string] {
    const [schema, name, ...more] = definition.name() ?? [];
    if (schema === undefined || name === undefined || more.length > 0)
      throw notUnderstood('a name that is not its schema and itself');
    return [schema, name];
  }
}

/** `SET SESSION AUTHORIZATION fred;` and the like stand in place of OWNER TO in some dumps. */
function isOfRoles(definition: Definition): boolean {
  return definition.is('role') || definition.is('session', 'authorization');
}

/** By its end: tables and columns may be called `owner`. */
function setsOwner({ tokens }: Definition): boolean {
  const end = tokens.findLastIndex(({ text }) => text !== ';');
  return new Definition(tokens.slice(Math.max(0, end - 2), end)).is('owner', 'to');
}

/** Those that an ALTER TABLE cannot do without besides its own. */
function otherTables(definition: Definition): string[][] {
  const { at } = definition;
  const isOther = definition.take('attach', 'partition') || definition.take('inherit');
  if (!isOther && definition.skipTo('references')) definition.at++;
  else if (!isOther) return [];
  const parts = definition.name() ?? [];
  definition.at = at;
  return [parts];
}

function operator(statement: Buffer): EntryRole {
  const [, quoted, plain, name] =
    /^create\s+operator\s+(?:"((?:[^"]|"")+)"|([^\s."(]+))\.([^\s(]+)/i.exec(statement.toString('utf8')) ?? [];
  const schema = quoted?.replaceAll('""', '"') ?? plain;
  if (schema === undefined || name === undefined) throw notUnderstood('an operator without its schema');
  return { kind: 'needable', definition: { kind: 'OPERATOR', schema, name } };
}

function extension(definition: Definition): EntryRole {
  const schema = definition.skipTo('schema') ? definition.tokens[definition.at + 1] : undefined;
  const name = identifierOf(schema);
  return { kind: 'extension', ...(name === undefined ? {} : { schema: decoded(name) }) };
}

function ifNotExists(definition: Definition): void {
  definition.take('if', 'not', 'exists');
}

function isAny(definition: Definition, kinds: readonly (readonly string[])[]): boolean {
  return kinds.some((words) => definition.is(...words));
}

/** No names: they may be anything. */
function spoken({ tokens, at }: Definition): string {
  const token = tokens[at];
  return token?.kind === 'word' ? token.text.toUpperCase() : '';
}

/** Which it is, within a sentence: no names. */
export function notUnderstood(what: string) {
  return wholeOnly(`to which table something in it belongs cannot be told (${what})`);
}
