import type { z } from 'zod';
import type { TypeFamily } from '../content/content-schema.ts';
import type { Rule } from '../variant-plan.ts';
import type { SeededOutput } from './seeded-output.ts';

/**
 * Replaces values of one kind. A folder's registry (`transformers.ts`) lists all; the compiler of policies asks for the facts, worker threads
 * make the functions.
 */
export interface Transformer<Options = Record<string, unknown>> {
  readonly name: string;
  /** One sentence for the documentation. */
  readonly description: string;
  /** Strict: an option that is not known is an error of the policy. */
  readonly options: z.ZodType<Options>;
  /** The option that a bare value means: `{ const: "x" }` is `{ const: { value: "x" } }`. */
  readonly shorthand?: string;
  facts(options: Options, column: ColumnFacts): TransformerFacts;
  /** Only of transformers whose options hold rules for parts of a value: `json`, `array`, `hstore`. */
  readonly nested?: NestedRules<Options>;
  /** Made once for each column and thread. */
  create(options: Options, context: TransformerContext): ValueFunction;
  /** Where the value's pseudonym and its bytes decide all: the same as what `create` makes, of many values at once. Undefined where that is not so with these options. */
  seeded?(options: Options, column: ColumnFacts): SeededOutput | undefined;
}

/** How the compiler of policies gets at rules inside of options. Rules that read other columns cannot be nested. */
export interface NestedRules<Options> {
  /** The rules as the policy has them: unchecked. */
  of(options: Options, column: ColumnFacts): readonly NestedRule[];
  /** The options with a compiled rule in the place of each, in the order of `of`. `create` and `facts` get these. */
  with(options: Options, rules: readonly Rule[]): Options;
}

export interface NestedRule {
  /** Where in the options it stands, for messages: `paths["$.email"]`. */
  where: string;
  /** A rule in any of the forms of a column's rule: a name, a domain, null, or an object. */
  rule: unknown;
  /** What it may be applied to: its transformer must accept at least one of these. */
  families: readonly TypeFamily[];
  /** The type that all of these parts have, as the column's type says it; absent where only their families are known. */
  type?: string;
}

/** What the compiler knows of the column. */
export interface ColumnFacts {
  family: TypeFamily;
  type: string;
  isNullable: boolean;
  maxLength?: number;
  allowedValues?: readonly string[];
}

export interface TransformerFacts {
  /** Families of types whose values it takes and gives; the compiler refuses others. */
  accepts: readonly TypeFamily[] | 'all';
  /** True where different inputs give different outputs, so that a UNIQUE column stays unique (hash and token of 128 bits count as such). */
  isInjective: boolean;
  /** True where it may give NULL for a value that is not. */
  mayGiveNull: boolean;
  /** Characters of the longest output; `same`: never longer than the input. Undefined: no limit known. */
  maxLength?: number | 'same';
  /** True where an original value that shows up in the output is a leak and no coincidence: pseudonyms of names collide with names, those of emails never should. */
  isTraceable: boolean;
  /** Columns of the row that it reads besides its own: originals, or masked ones. */
  reads?: { originals?: readonly string[]; masked?: readonly string[] };
}

export interface TransformerContext {
  /** 32 bytes, of the domain: HKDF-SHA-256 from the key of the variant. */
  key: Uint8Array;
  column: ColumnFacts;
  /** Index of a column of the row by its name, for rules that read others. @throws HoldfastError where there is none */
  indexOf(column: string): number;
  /**
   * Makes the function of a nested rule, with the key of the rule's own domain and its `normalise`. Undefined where the rule's transformer does not accept
   * values of `column.family`.
   */
  inner(rule: Rule, column: ColumnFacts): ValueFunction | undefined;
}

/**
 * Gives what stands in the place of a value. NULL never comes in, and `''` is an ordinary value. Text is that of a dump (`t`, `2026-01-31`, `\x00ff`), decoded to
 * Unicode. Must be a pure function of its input and its key.
 * @throws whatever; the production is then given up, and neither the message nor the value is shown
 */
export type ValueFunction = (value: string, row: RowValues) => string | null;

/** The values of the row at hand, by the index of the column. */
export interface RowValues {
  original(index: number): string | null;
  /** Only of columns that are masked before: those that the transformer named in `reads.masked`. */
  masked(index: number): string | null;
}
