import type { TypeFamily } from '../../content/content-schema.ts';
import type { Rule } from '../../variant-plan.ts';
import type { ColumnFacts, RowValues, ValueFunction } from '../transformer.ts';
import { REDACTED, type ScalarKind } from './json-rewriter.ts';

/** As `TransformerContext.inner`. */
export type InnerRule = (rule: Rule, column: ColumnFacts) => ValueFunction | undefined;

/** What a rule inside of JSON may be applied to: its transformer must accept at least one of these. */
export const SCALAR_FAMILIES: readonly TypeFamily[] = [
  'text',
  'integer',
  'numeric',
  'boolean',
  'date',
  'timestamp',
  'time',
  'uuid',
  'inet',
  'mac',
];

/**
 * A rule for scalars of JSON. The type of a scalar stays where what the rule gives is a text of that type, else it becomes a string. A scalar that
 * the rule's transformer does not take, by its type or by its form (a RangeError), is redacted: no schema promises what stands in JSON, and one `"n/a"` among a million numbers
 * must neither stop a variant nor be let pass.
 */
export class ScalarRule {
  readonly #rule: Rule;
  readonly #inner: InnerRule;
  readonly #functions = new Map<TypeFamily, ValueFunction | undefined>();

  constructor(rule: Rule, inner: InnerRule) {
    this.#rule = rule;
    this.#inner = inner;
  }

  /** @param raw as written, a string with its quotes @returns JSON text */
  changed(kind: ScalarKind, raw: string, row: RowValues): string {
    switch (kind) {
      case 'string':
        return this.#string(raw.includes('\\') ? JSON.parse(raw) : raw.slice(1, -1), row);
      case 'number':
        return this.#number(raw, row);
      default:
        return this.#boolean(raw === 'true', row);
    }
  }

  #string(value: string, row: RowValues): string {
    const change = this.#function('text') ?? this.#functionFor(value);
    const result = change === undefined ? NOT_TAKEN : resultOf(change, value, row);
    return result === NOT_TAKEN ? REDACTED.string : textOf(result);
  }

  #number(literal: string, row: RowValues): string {
    const isInteger = INTEGER.test(literal);
    const change =
      (isInteger ? this.#function('integer') : undefined) ?? this.#function('numeric') ?? this.#function('text');
    const result = change === undefined ? NOT_TAKEN : resultOf(change, literal, row);
    if (result === NOT_TAKEN) return REDACTED.number;
    // Digits that replace digits may begin with zeros, which a number of JSON may not.
    const number = result?.replace(LEADING_ZEROS, '$1');
    return number !== undefined && NUMBER.test(number) ? number : textOf(result);
  }

  #boolean(value: boolean, row: RowValues): string {
    const change = this.#function('boolean');
    const result = change === undefined ? NOT_TAKEN : resultOf(change, value ? 't' : 'f', row);
    if (result === NOT_TAKEN) return 'false';
    return BOOLEANS.get(result ?? '') ?? textOf(result);
  }

  /** For strings that are texts of another type, where the rule is for that type alone. */
  #functionFor(value: string): ValueFunction | undefined {
    for (const [family, pattern] of STRING_FAMILIES) {
      if (!pattern.test(value)) continue;
      const change = this.#function(family);
      if (change !== undefined) return change;
    }
    return undefined;
  }

  #function(family: TypeFamily): ValueFunction | undefined {
    const known = this.#functions.get(family);
    if (known !== undefined || this.#functions.has(family)) return known;
    const change = this.#inner(this.#rule, { family, type: TYPES.get(family) ?? family, isNullable: true });
    this.#functions.set(family, change);
    return change;
  }
}

/** In the place of what the rule does not take. */
const NOT_TAKEN = Symbol('not taken');

/** @throws whatever the rule throws but RangeErrors */
function resultOf(change: ValueFunction, value: string, row: RowValues): string | null | typeof NOT_TAKEN {
  try {
    return change(value, row);
  } catch (error) {
    if (error instanceof RangeError) return NOT_TAKEN;
    throw error;
  }
}

function textOf(result: string | null): string {
  return result === null ? 'null' : JSON.stringify(result);
}

const INTEGER = /^-?\d+$/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LEADING_ZEROS = /^(-?)0+(?=\d)/;
const BOOLEANS: ReadonlyMap<string, string> = new Map([
  ...['t', 'true', '1'].map((text) => [text, 'true'] as const),
  ...['f', 'false', '0'].map((text) => [text, 'false'] as const),
]);
const STRING_FAMILIES: readonly (readonly [TypeFamily, RegExp])[] = [
  ['date', /^\d{4}-\d\d-\d\d$/],
  ['timestamp', /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?$/],
  ['time', /^\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?$/],
  ['uuid', /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/],
  ['mac', /^[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}$/],
  ['inet', /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)(?:\/\d{1,3})?$/],
  ['integer', /^-?\d{1,18}$/],
  ['numeric', /^-?\d{1,100}(?:\.\d{1,100})?$/],
  ['boolean', /^(?:true|false|t|f|0|1)$/],
];
/** Names of types that all dialects know. */
const TYPES: ReadonlyMap<TypeFamily, string> = new Map([
  ['integer', 'bigint'],
  ['mac', 'macaddr'],
]);
