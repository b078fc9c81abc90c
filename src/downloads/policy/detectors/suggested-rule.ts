import { parse } from 'yaml';
import type { ColumnSchema, TypeFamily } from '../../content/content-schema.ts';
import type { Transformer } from '../../masking/transformer.ts';
import { type ColumnFinding, findData } from './column-finding.ts';

/** Rules for types whose values cannot be looked into by their name alone. */
const BY_FAMILY: Partial<Record<TypeFamily, readonly string[]>> = {
  json: ['{ json: { unknown: redact } }', 'json', 'null', 'default'],
  hstore: ['hstore', 'null', 'default'],
  array: ['null', 'default'],
  bytes: ['null', 'bytes', 'default'],
  xml: ['null', 'default'],
  search: ['null', 'default'],
  geometry: ['null', 'default'],
  inet: ['ip', 'null', 'default'],
  mac: ['mac', 'null', 'default'],
  // Composite types and those of extensions: texts may be within.
  other: ['null'],
};

/** What may be written for a column, the best first and `keep` last. */
export function candidateRules(column: ColumnSchema, finding: ColumnFinding | undefined): readonly string[] {
  const rules = [...(finding?.kind.rules ?? []), ...(BY_FAMILY[column.family] ?? []), 'keep'];
  return [...new Set(rules)].filter((rule) => rule !== 'null' || column.isNullable);
}

/** A rule to propose for a column that a policy does not name, by its name and type alone. */
export function suggestedRule(column: ColumnSchema, transformers: ReadonlyMap<string, Transformer>): string {
  if (column.isGenerated) return 'generated';
  const known = candidateRules(column, findData(column, '')).find((rule) => transformers.has(transformerOf(rule)));
  return known ?? 'keep';
}

function transformerOf(rule: string): string {
  const form: unknown = parse(rule);
  if (typeof form === 'object' && form !== null) return Object.keys(form)[0] ?? '';
  return String(form);
}
