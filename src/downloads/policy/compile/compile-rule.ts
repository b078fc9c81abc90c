import type { z } from 'zod';
import { messageOf } from '../../../core/errors.ts';
import { plainIssue } from '../../../core/plain-issue.ts';
import type { TypeFamily } from '../../content/content-schema.ts';
import type { ColumnFacts, NestedRule, Transformer, TransformerFacts } from '../../masking/transformer.ts';
import { DERIVE, KEEP, type Rule } from '../../variant-plan.ts';
import type { RulePolicy, TransformerRule } from '../masking-policy.ts';
import { readRule } from '../read-rule.ts';
import { knownKeysAt } from '../schema-keys.ts';
import type { Compilation } from './compilation.ts';
import type { PolicyProblem, PolicyProblemCode } from './policy-problem.ts';

export interface CompiledRule {
  rule: Rule;
  facts: TransformerFacts;
}

/** Where a rule stands, for problems. */
export interface RulePlace {
  table?: string;
  column?: string;
}

/** The rule for a column of this kind. Undefined where it cannot be: the compilation then has a problem more. */
export function compileRule(
  policy: RulePolicy,
  column: ColumnFacts,
  place: RulePlace,
  compilation: Compilation,
): CompiledRule | undefined {
  const problem = (code: PolicyProblemCode, message: string, suggestion: string): undefined => {
    compilation.problems.push({ ...place, code, message: `${nameOf(place)} ${message}`, suggestion });
  };
  if (policy.kind === 'generated') return { rule: KEPT, facts: KEPT_FACTS };
  if (policy.kind === 'transformer' && policy.transformer === KEEP) {
    if (policy.options === undefined) return { rule: KEPT, facts: KEPT_FACTS };
    return problem('options-invalid', 'has the rule `keep` with options, and it has none.', 'Write `keep` alone.');
  }
  const domain = policy.kind === 'domain' ? compilation.policy.domains.get(policy.domain) : undefined;
  const named: TransformerRule | undefined = policy.kind === 'transformer' ? policy : domain?.rule;
  if (named === undefined) return undefined;
  const transformer = compilation.transformers.get(named.transformer);
  if (transformer === undefined) return unknownTransformer(named.transformer, compilation, problem);
  let options: Record<string, unknown>;
  try {
    options = parsedOptions(transformer, named.options, column, compilation, place);
  } catch (error) {
    return problem(
      'options-invalid',
      `has the rule \`${named.transformer}\` with options that it cannot take: ${messageOf(error)}`,
      `${transformer.description} Correct its options.`,
    );
  }
  try {
    const facts = transformer.facts(options, column);
    if (!accepts(facts, column.family))
      return problem(
        'type-not-accepted',
        `is of the type \`${column.type}\`, which the rule \`${named.transformer}\` does not take.`,
        `Write ${rulesFor(column, compilation)}.`,
      );
    return {
      facts,
      rule: {
        transformer: named.transformer,
        options,
        domain: policy.kind === 'domain' ? policy.domain : named.transformer,
        normalise: domain?.normalise ?? [],
      },
    };
  } catch (error) {
    return problem(
      'options-invalid',
      `cannot have the rule \`${named.transformer}\`: ${messageOf(error)}`,
      `Correct its options, or write ${rulesFor(column, compilation)}.`,
    );
  }
}

/** `keep`, as a rule. */
export const KEPT: Rule = { transformer: KEEP, options: {}, domain: KEEP, normalise: [] };

const KEPT_FACTS: TransformerFacts = {
  accepts: 'all',
  isInjective: true,
  mayGiveNull: false,
  maxLength: 'same',
  isTraceable: false,
};

function accepts(facts: TransformerFacts, family: ColumnFacts['family']): boolean {
  return facts.accepts === 'all' || facts.accepts.includes(family);
}

/** Of the column, for the beginning of a sentence. */
export function nameOf({ table, column }: RulePlace): string {
  if (table === undefined) return column === undefined ? 'The content' : `\`${column}\``;
  return column === undefined ? `The table ${table}` : `The column ${table}.${column}`;
}

/** Names of transformers that take the column, for suggestions. */
export function rulesFor(column: ColumnFacts, { transformers }: Compilation): string {
  const fit: string[] = [];
  for (const { name, options, facts } of transformers.values()) {
    if (name === KEEP || (name === 'null' && !column.isNullable)) continue;
    const parsed = options.safeParse({});
    if (parsed.success && factsSay(() => accepts(facts(parsed.data, column), column.family))) fit.push(name);
  }
  const names = [...fit.filter((name) => name !== 'null').slice(0, 6), ...fit.filter((name) => name === 'null')];
  return [...names, 'keep']
    .map((name) => `\`${name}\``)
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1');
}

function factsSay(work: () => boolean): boolean {
  try {
    return work();
  } catch {
    // A transformer that cannot be used without options is not proposed.
    return false;
  }
}

function unknownTransformer(
  name: string,
  { transformers, policy, hints }: Compilation,
  problem: (code: PolicyProblemCode, message: string, suggestion: string) => undefined,
): undefined {
  const known = [...transformers.keys(), ...policy.domains.keys()];
  const near = hints.nearest(name, known);
  return problem(
    'transformer-unknown',
    `has the rule \`${name.slice(0, 100)}\`, which is neither a transformer nor a domain of the policy.`,
    near === undefined ? `Transformers are: ${[...transformers.keys()].join(', ')}.` : `Did you mean \`${near}\`?`,
  );
}

/** @throws Error that says what is wrong with the options */
function parsedOptions(
  transformer: Transformer,
  written: unknown,
  column: ColumnFacts,
  compilation: Compilation,
  place: RulePlace,
): Record<string, unknown> {
  const options = optionsOf(transformer, written);
  const { nested } = transformer;
  if (nested === undefined) return options;
  const rules = nested.of(options, column).map((inner) => nestedRule(inner, compilation, place));
  return nested.with(options, rules);
}

function optionsOf({ options, shorthand }: Transformer, written: unknown): Record<string, unknown> {
  const isObject = typeof written === 'object' && written !== null && !Array.isArray(written);
  const parsed = options.safeParse(written === undefined ? {} : written);
  if (parsed.success && (isObject || written === undefined)) return parsed.data;
  if (shorthand !== undefined && written !== undefined) {
    const short = options.safeParse({ [shorthand]: written });
    if (short.success) return short.data;
    if (!isObject) throw new Error(wordsOf(short.error, options));
  }
  if (!isObject && written !== undefined) throw new Error('options are written by name.');
  throw new Error(parsed.success ? 'options are written by name.' : wordsOf(parsed.error, options));
}

function wordsOf(error: z.ZodError, options: z.ZodType): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => {
      const { path, message } = issue;
      if (issue.code === 'unrecognized_keys') return unknownOptions([...path], issue.keys, options);
      return path.length === 0 ? message : `\`${path.join('.')}\`: ${plainIssue(message)}`;
    })
    .map((words) => (words.endsWith('.') ? words : `${words}.`))
    .join(' ');
}

function unknownOptions(path: readonly PropertyKey[], keys: readonly string[], options: z.ZodType): string {
  const known = knownKeysAt(options, path);
  const written = keys.slice(0, 5).map((key) => `\`${[...path, key.slice(0, 100)].join('.')}\``);
  const offered = known.length === 0 ? '' : `; there are: ${known.join(', ')}`;
  return `${written.join(', ')} ${keys.length === 1 ? 'is no option' : 'are no options'} of it${offered}.`;
}

/** @throws Error that says what is wrong with the rule within the options */
function nestedRule({ where, rule, families, type }: NestedRule, compilation: Compilation, place: RulePlace): Rule {
  const inner: Compilation = { ...compilation, problems: [] };
  const policy = readRule(rule, new Set(compilation.policy.domains.keys()));
  const compiled = compileRuleForAny(policy, families, place, inner, type);
  if (compiled === undefined)
    throw new Error(`at ${where}: ${inner.problems[0]?.message ?? 'the rule takes none of the values there.'}`);
  return compiled;
}

/** A rule for a part of a value, which may be of several types: its transformer takes one of them, and reads nothing else. */
export function compileRuleForAny(
  policy: RulePolicy,
  families: readonly TypeFamily[],
  place: RulePlace,
  compilation: Compilation,
  type?: string,
): Rule | undefined {
  let problems: PolicyProblem[] = [];
  for (const family of families) {
    const trial: Compilation = { ...compilation, problems: [] };
    const compiled = compileRule(policy, { family, type: type ?? family, isNullable: true }, place, trial);
    const isDerived = compiled?.rule.transformer === DERIVE;
    if (isDerived) trial.problems.push(derivedInside(place));
    if (compiled !== undefined && !isDerived && !readsOthers(compiled.facts)) return compiled.rule;
    if (compiled !== undefined && !isDerived)
      trial.problems.push({
        ...place,
        code: 'options-invalid',
        message: `${nameOf(place)} has the rule \`${compiled.rule.transformer}\` for a part of a value, and that reads other columns.`,
        suggestion: 'Write a rule that hangs on the value alone.',
      });
    if (problems.length === 0) problems = trial.problems;
  }
  compilation.problems.push(...problems);
  return undefined;
}

function derivedInside(place: RulePlace): PolicyProblem {
  return {
    ...place,
    code: 'derive-not-possible',
    message: `${nameOf(place)} has the rule \`${DERIVE}\` for a part of a value: a database fills whole columns.`,
    suggestion: 'Derive the column as a whole, or write a rule that hangs on the value alone.',
  };
}

export function readsOthers({ reads }: TransformerFacts): boolean {
  return (reads?.originals?.length ?? 0) + (reads?.masked?.length ?? 0) > 0;
}
