import { identifierOf } from '../../sql/sql-tokens.ts';
import { Definition, decoded, stringOf } from './definition.ts';
import type { SchemaReader } from './schema-reader.ts';
import { variantFailed } from './unreadable.ts';

/** Finds the statements that belong to tables which a plan drops: indexes, constraints, foreign keys that lead there, triggers, policies, sequences, privileges. */
export class DroppedTables {
  readonly #names: ReadonlySet<string>;
  readonly #indexes = new Set<string>();
  readonly #sequences = new Set<string>();
  readonly #schema: SchemaReader;

  constructor(names: Iterable<string>, schema: SchemaReader) {
    this.#names = new Set(names);
    this.#schema = schema;
  }

  get areNone(): boolean {
    return this.#names.size === 0;
  }

  /**
   * True where a statement goes with a dropped table.
   * @throws HoldfastError `variant-failed` (invalid) for a view and the like that cannot be made without one
   */
  takes(statement: Buffer, firstWord: string): boolean {
    if (this.areNone) return false;
    const definition = Definition.of(statement);
    definition.at = 1;
    switch (firstWord) {
      case 'create':
        return this.#created(definition) || this.#refused(definition);
      case 'alter':
        return this.#altered(definition) || this.#refused(definition);
      case 'select':
        return this.#sequenceCalled(definition);
      case 'grant':
      case 'revoke':
      case 'drop':
      case 'analyze':
        return this.#isNamed(definition);
      default:
        return false;
    }
  }

  /** The sequence that a statement makes, which may turn out to belong to a dropped table by one of the next statements. */
  madeSequence(statement: Buffer): string | undefined {
    if (this.areNone) return undefined;
    const definition = Definition.of(statement);
    definition.at = 1;
    definition.take('unlogged');
    if (!definition.take('sequence')) return undefined;
    definition.take('if', 'not', 'exists');
    return this.#name(definition);
  }

  /** What a statement says of a sequence: that it is a dropped table's, something else, or nothing. */
  saysOf(sequence: string, statement: Buffer): 'dropped' | 'other' | undefined {
    const definition = Definition.of(statement);
    definition.at = 1;
    // Older versions of pg_dump say ALTER TABLE of sequences too.
    if (!definition.take('sequence') && !definition.take('table')) return undefined;
    if (this.#name(definition) !== sequence) return undefined;
    if (!definition.take('owned', 'by') || !this.#isDroppedColumn(definition.name())) return 'other';
    this.#sequences.add(sequence);
    return 'dropped';
  }

  #created(definition: Definition): boolean {
    definition.take('or', 'replace');
    definition.take('unlogged');
    definition.take('constraint');
    definition.take('unique');
    if (definition.take('table')) {
      definition.take('if', 'not', 'exists');
      return this.#isDropped(definition);
    }
    if (definition.take('index')) return this.#createdIndex(definition);
    if (definition.take('trigger') || definition.take('policy'))
      return definition.skipTo('on') && this.#follows(definition);
    if (definition.take('rule')) return definition.skipTo('to') && this.#follows(definition);
    if (definition.take('statistics')) return definition.skipTo('from') && this.#follows(definition);
    return false;
  }

  #createdIndex(definition: Definition): boolean {
    definition.take('if', 'not', 'exists');
    const index = definition.is('on') ? undefined : definition.name();
    definition.take('on');
    definition.take('only');
    const table = definition.name();
    if (table === undefined || !this.#names.has(this.#schema.nameOf(table))) return false;
    // An index is in the schema of its table.
    if (index !== undefined) this.#indexes.add(this.#schema.nameOf([...table.slice(0, -1), ...index.slice(-1)]));
    return true;
  }

  #altered(definition: Definition): boolean {
    if (definition.take('table')) return this.#alteredTable(definition);
    if (definition.take('index')) {
      definition.take('if', 'exists');
      if (this.#indexes.has(this.#name(definition) ?? '')) return true;
      return definition.take('attach', 'partition') && this.#indexes.has(this.#name(definition) ?? '');
    }
    if (definition.take('sequence')) {
      definition.take('if', 'exists');
      if (this.#sequences.has(this.#name(definition) ?? '')) return true;
      return definition.take('owned', 'by') && this.#isDroppedColumn(definition.name());
    }
    if (definition.take('trigger') || definition.take('policy'))
      return definition.skipTo('on') && this.#follows(definition);
    return false;
  }

  #alteredTable(definition: Definition): boolean {
    definition.take('if', 'exists');
    definition.take('only');
    const name = this.#name(definition) ?? '';
    if (this.#names.has(name)) {
      this.#noteKeys(name, definition);
      return true;
    }
    if (this.#sequences.has(name)) return true;
    const begin = definition.at;
    if (definition.take('attach', 'partition') || definition.take('inherit')) return this.#isDropped(definition);
    if (definition.skipTo('references')) return this.#follows(definition);
    definition.at = begin;
    return false;
  }

  /** The indexes and sequences that a constraint or an identity column makes. */
  #noteKeys(table: string, definition: Definition): void {
    for (const [index] of definition.tokens.entries()) {
      definition.at = index;
      if (definition.take('add', 'constraint')) {
        const name = definition.identifier();
        const parts = this.#schema.partsOf(table);
        if (name !== undefined) this.#indexes.add(this.#schema.nameOf([...parts.slice(0, -1), name]));
      } else if (definition.take('sequence', 'name')) this.#sequences.add(this.#name(definition) ?? '');
    }
  }

  /** `setval('public.users_id_seq', …)` */
  #sequenceCalled(definition: Definition): boolean {
    const called = definition.tokens.map(stringOf).find((text) => text !== undefined);
    if (called === undefined) return false;
    const name = Definition.of(Buffer.from(`${Buffer.from(called).toString('latin1')} ;`, 'latin1')).name();
    return name !== undefined && this.#sequences.has(this.#schema.nameOf(name));
  }

  #refused(definition: Definition): boolean {
    const named = this.#named(definition);
    if (named === undefined) return false;
    throw variantFailed(
      `Table "${named}" is dropped, but ${spoken(definition)} needs it. Give the table the fate \`structure\` instead of \`drop\`.`,
      { table: named },
    );
  }

  #isNamed(definition: Definition): boolean {
    return this.#named(definition) !== undefined;
  }

  /** The first dropped table or sequence that a statement names outside of strings, or as the sequence of a default. */
  #named(definition: Definition): string | undefined {
    for (const [index, token] of definition.tokens.entries()) {
      if (token.kind === 'string') {
        const isSequence = token.text.startsWith("'") && this.#sequenceCalled(new Definition([token]));
        if (isSequence) return stringOf(token);
        continue;
      }
      const first = identifierOf(token);
      if (first === undefined) continue;
      const isPart = definition.tokens[index - 1]?.text === '.';
      const second =
        definition.tokens[index + 1]?.text === '.' ? identifierOf(definition.tokens[index + 2]) : undefined;
      if (second === undefined && (isPart || this.#schema.qualifiesAll)) continue;
      const name = this.#schema.nameOf(second === undefined ? [decoded(first)] : [decoded(first), decoded(second)]);
      if (this.#names.has(name) || this.#sequences.has(name) || this.#indexes.has(name)) return name;
    }
    return undefined;
  }

  /** Steps over the word that was found, and tells whether a dropped table comes next. */
  #follows(definition: Definition): boolean {
    definition.at++;
    definition.take('only');
    return this.#isDropped(definition);
  }

  #isDropped(definition: Definition): boolean {
    return this.#names.has(this.#name(definition) ?? '');
  }

  #isDroppedColumn(parts: string[] | undefined): boolean {
    return parts !== undefined && parts.length > 1 && this.#names.has(this.#schema.nameOf(parts.slice(0, -1)));
  }

  #name(definition: Definition): string | undefined {
    const parts = definition.name();
    return parts === undefined ? undefined : this.#schema.nameOf(parts);
  }
}

/** What a statement makes, by its first words. */
function spoken(definition: Definition): string {
  const words = definition.tokens.slice(0, 3).filter(({ kind }) => kind === 'word');
  const kind = words.find(({ text }) =>
    [
      'view',
      'materialized',
      'function',
      'procedure',
      'table',
      'rule',
      'trigger',
      'policy',
      'type',
      'aggregate',
    ].includes(text),
  );
  definition.at = 0;
  if (kind === undefined || !definition.skipTo(kind.text)) return 'another statement';
  definition.at++;
  definition.take('view') || definition.take('only');
  const name = definition.name()?.join('.') ?? '';
  return `${kind.text === 'materialized' ? 'materialized view' : kind.text} "${name}"`;
}
