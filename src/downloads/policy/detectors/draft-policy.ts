import { parse } from 'yaml';
import type { ColumnSchema, ContentSchema, TableSchema } from '../../content/content-schema.ts';
import type { Transformer } from '../../masking/transformer.ts';
import type { PolicyLanguage } from '../compile/compilation.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { SchemaView } from '../compile/schema-view.ts';
import type { ColumnPolicy, FilePolicy, MaskingPolicy, TablePolicy } from '../masking-policy.ts';
import { readColumn } from '../read-rule.ts';
import { type ColumnGroup, ColumnGroups, type SchemaSamples } from './column-groups.ts';
import { commentText, yamlText } from './draft-text.ts';

export interface DraftOptions {
  /** The id of the resource, for the policy's head. */
  resource: string;
  /** Where the key of pseudonyms will be found. */
  key: string;
  transformers: ReadonlyMap<string, Transformer>;
  language: PolicyLanguage;
}

/**
 * Drafts a policy: every table and column is written, with a rule to propose and why; what nothing was found in is `keep` with the comment `review`. The draft has no
 * problems with the schema that it was made of, and it is for a person to read: detectors do not know what is personal.
 *
 * @returns YAML; the same for the same schema and samples. No value of a sample stands in it
 */
export function draftPolicy(schema: ContentSchema, samples: SchemaSamples, options: DraftOptions): string {
  const draft = new PolicyDraft(schema, samples);
  for (;;) {
    const { problems } = compilePolicy({
      ...options,
      policy: draft.policy(options),
      variant: 'masked',
      content: contentOf(schema),
    });
    if (problems === undefined) return draft.text(options);
    const isBetter = problems.map(({ table, column }) => draft.giveWay(table, column)).some((gave) => gave);
    // Nothing is left to give way with: what remains is told by the check of the policy.
    if (!isBetter) return draft.text(options);
  }
}

function contentOf(schema: ContentSchema) {
  return schema.dialect === 'csv' ? { dialect: schema.dialect, tables: schema.tables } : schema;
}

/** No policy can name it. */
const UNSPEAKABLE = '__proto__';

class PolicyDraft {
  readonly #view: SchemaView;
  readonly #groups: ColumnGroups;
  /** By their text. */
  readonly #rules = new Map<string, ColumnPolicy>();

  constructor(schema: ContentSchema, samples: SchemaSamples) {
    this.#view = new SchemaView(schema);
    this.#groups = new ColumnGroups(this.#view, samples);
  }

  /** Takes the next rule for a column. False where it has no other. */
  giveWay(table: string | undefined, name: string | undefined): boolean {
    const column = this.#view.column(table ?? '', name ?? '');
    const group = column && this.#groups.of(column);
    if (group === undefined || group.chosen >= group.rules.length - 1) return false;
    group.chosen++;
    return true;
  }

  /** As it is read from `text`, for trying. */
  policy({ resource, key }: DraftOptions): MaskingPolicy {
    const { schema } = this.#view;
    const isCsv = schema.dialect === 'csv';
    const tables = new Map(schema.tables.map((table) => [table.name, this.#tablePolicy(table)]));
    const files = [...tables].map(([pattern, table]): FilePolicy => {
      return { pattern, fate: 'csv', csv: { delimiter: ',', quote: '"', hasHeader: true, table } };
    });
    return {
      ...{ version: 1, resource, key, epoch: '1', newTable: 'fail', newColumn: 'fail', detectors: 'high' },
      variants: new Map([
        ['masked', { name: 'masked', kind: 'masked', produce: 'on-demand', verifiesByLoading: false }],
      ]),
      domains: new Map(),
      tables: isCsv ? new Map() : tables,
      tablePatterns: new Map(),
      files: isCsv ? files : [],
    };
  }

  #tablePolicy(table: TableSchema): TablePolicy {
    if (table.dropOnly !== undefined) return { fate: 'drop', columns: new Map() };
    if (table.columns.some(({ name }) => name === UNSPEAKABLE)) return { fate: 'structure', columns: new Map() };
    const columns = table.columns.map((column): [string, ColumnPolicy] => [column.name, this.#columnPolicy(column)]);
    return { fate: 'rows', columns: new Map(columns) };
  }

  #columnPolicy(column: ColumnSchema): ColumnPolicy {
    const group = this.#groups.of(column);
    const rule = group?.rules[group.chosen] ?? 'keep';
    const known = this.#rules.get(rule) ?? readColumn(parse(rule), new Set());
    this.#rules.set(rule, known);
    return known;
  }

  text({ resource, key }: DraftOptions): string {
    const { schema } = this.#view;
    const isCsv = schema.dialect === 'csv';
    const tables = schema.tables.flatMap((table) => (isCsv ? this.#file(table) : this.#table(table)));
    return [
      '# A draft, made of the schema of a backup and a sample of its values. Read every line before you use it:',
      '# detectors find what looks personal, and cannot know what is. Lines that say "review" are those where nothing was found.',
      'version: 1',
      `resource: ${yamlText(resource)}`,
      `key: ${yamlText(key)}`,
      'epoch: "1"',
      'default: masked',
      'variants:',
      '  masked: { keep: full }',
      `${isCsv ? 'files' : 'tables'}:${tables.length === 0 ? ' {}' : ''}`,
      ...tables,
      '',
    ].join('\n');
  }

  #table(table: TableSchema): string[] {
    const ancestors = new Set(this.#view.ancestors(table).flatMap(({ columns }) => columns.map(({ name }) => name)));
    const own = table.columns.filter(({ name }) => !ancestors.has(name));
    if (table.dropOnly !== undefined) return [`  ${yamlText(table.name)}: drop  # ${commentText(table.dropOnly)}`];
    if (own.length === 0 && ancestors.size > 0)
      return [`  # ${commentText(table.name)}: as ${commentText(table.parent ?? '')}`];
    if (own.some(({ name }) => name === UNSPEAKABLE))
      return [`  ${yamlText(table.name)}: structure  # review: a policy cannot speak of its column __proto__`];
    const lines = own.length === 0 ? ['    columns: {}'] : ['    columns:', ...this.#columns(own, '      ')];
    return [`  ${yamlText(table.name)}:`, ...lines];
  }

  #file(table: TableSchema): string[] {
    return [`  ${yamlText(table.name)}:`, '    csv:', '      columns:', ...this.#columns(table.columns, '        ')];
  }

  #columns(columns: readonly ColumnSchema[], indent: string): string[] {
    return wholeNumbersFirst(columns).map((column) => {
      const group = this.#groups.of(column);
      const rule = group?.rules[group.chosen] ?? 'keep';
      const form = `{ rule: ${rule}, type: ${yamlText(column.type)} }`;
      return `${indent}${yamlText(column.name)}: ${form}  # ${commentText(reasonOf(column, rule, group))}`;
    });
  }
}

function reasonOf(column: ColumnSchema, rule: string, group: ColumnGroup | undefined): string {
  if (column.isGenerated) return 'computed by the database of other columns';
  const finding = group?.finding;
  const found = finding === undefined ? '' : `${finding.kind.name} (${finding.kind.impact}): ${finding.evidence}`;
  if (group !== undefined && group.leader.column !== column) {
    const { table, column: leader } = group.leader;
    return `as ${table.name}.${leader.name}, to which it refers${rule === 'keep' ? '; review' : ''}${found === '' ? '' : `: ${found}`}`;
  }
  if (rule === 'keep') return found === '' ? 'review' : `review: ${found}`;
  if (column.family === 'search')
    return `search: it holds words of other columns; the database computes it of masked ones with { derive: "to_tsvector('simple', …)" }`;
  return found === '' ? `${column.family}: its values may hold anything` : found;
}

/** The order in which YAML's reader wants them. */
function wholeNumbersFirst(columns: readonly ColumnSchema[]): ColumnSchema[] {
  const isNumber = ({ name }: ColumnSchema) => /^(0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32 - 1;
  return [
    ...columns.filter(isNumber).sort((a, b) => Number(a.name) - Number(b.name)),
    ...columns.filter((column) => !isNumber(column)),
  ];
}
