import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import type { ColumnFacts } from '../../masking/transformer.ts';
import { KEEP } from '../../variant-plan.ts';
import { suggestedRule } from '../detectors/suggested-rule.ts';
import { normalType } from '../read-rule.ts';
import type { ColumnDecision, ColumnDecisions } from './column-decisions.ts';
import type { Compilation } from './compilation.ts';
import { compileRule, nameOf, rulesFor } from './compile-rule.ts';
import type { PolicyProblem, PolicyProblemCode } from './policy-problem.ts';
import type { CoveredTable } from './table-coverage.ts';
import { cannotGive } from './value-trial.ts';

/** Holds each column of a table against what the policy says of it. */
export function checkColumns(covered: CoveredTable, decisions: ColumnDecisions, compilation: Compilation): void {
  const { table } = covered;
  for (const column of table.columns) {
    const decision = decisions.of(table, column);
    if (decision === undefined) continue;
    for (const { code, message, suggestion } of faultsOf(table, column, decision, compilation))
      compilation.problems.push({
        code,
        table: table.name,
        column: column.name,
        message: `The column ${table.name}.${column.name} ${message}`,
        suggestion,
      });
  }
  nameAbsentColumns(covered, compilation);
}

interface Fault {
  code: PolicyProblemCode;
  message: string;
  suggestion: string;
}

function* faultsOf(
  table: TableSchema,
  column: ColumnSchema,
  decision: ColumnDecision,
  compilation: Compilation,
): Generator<Fault> {
  if (!decision.isNamed) {
    yield {
      code: 'column-not-named',
      message: 'is not named by the policy.',
      suggestion: `Write \`${column.name}: ${suggestedRule(column, compilation.transformers)}\` if that is right, or another rule.`,
    };
    return;
  }
  const { policy } = decision;
  if (policy?.type !== undefined && policy.type !== normalType(column.type))
    yield {
      code: 'type-changed',
      message: `is of the type \`${column.type}\` now, and its rule was written for \`${policy.type}\`.`,
      suggestion: `See whether the rule still fits, and write \`type: ${column.type}\`.`,
    };
  const isCalledGenerated = policy?.rule.kind === 'generated';
  if (column.isGenerated && policy !== undefined && !isCalledGenerated)
    yield {
      code: 'generated-column',
      message: 'is computed by the database, so no rule of it can be followed.',
      suggestion: `Write \`${column.name}: generated\`: the database computes it anew of what is given.`,
    };
  if (!column.isGenerated && isCalledGenerated)
    yield {
      code: 'no-longer-generated',
      message:
        'is called `generated` by the policy, but the database does not compute it: its values stand in the content.',
      suggestion: `Write \`${column.name}: ${suggestedRule(column, compilation.transformers)}\`, or another rule.`,
    };
  if (!column.isGenerated) yield* ruleFaults(table, column, decision, compilation);
}

function* ruleFaults(
  table: TableSchema,
  column: ColumnSchema,
  { facts, compiled }: ColumnDecision,
  compilation: Compilation,
): Generator<Fault> {
  if (compiled === undefined) return;
  const { rule, facts: does } = compiled;
  if (does.mayGiveNull && !column.isNullable)
    yield {
      code: 'null-not-allowed',
      message: `is NOT NULL, and the rule \`${rule.transformer}\` may give NULL.`,
      suggestion: `Write ${rulesFor({ ...facts, isNullable: false }, compilation)}.`,
    };
  if (typeof does.maxLength === 'number' && column.maxLength !== undefined && does.maxLength > column.maxLength)
    yield {
      code: 'too-long',
      message: `holds at most ${column.maxLength} characters, and the rule \`${rule.transformer}\` may give ${does.maxLength}.`,
      suggestion: `Shorten it by an option of the rule, or write ${rulesFor(facts, compilation)}.`,
    };
  if (does.maxLength === undefined && isNarrower(column, facts))
    yield {
      code: 'too-long',
      message: `holds at most ${column.maxLength} characters, fewer than the column to which it refers, and the rule \`${rule.transformer}\` has no limit for both.`,
      suggestion: `Write ${rulesFor(column, compilation)} on both sides.`,
    };
  const transformer = compilation.transformers.get(rule.transformer);
  if (column.allowedValues !== undefined && transformer !== undefined && cannotGive(transformer, compiled, facts))
    yield {
      code: 'value-not-allowed',
      message: `may only hold some values, and the rule \`${rule.transformer}\` gives others.`,
      suggestion: `Write \`keep\`, null if it may be NULL, or a rule that chooses among: ${column.allowedValues.slice(0, 10).join(', ')}.`,
    };
  const { originals = [], masked = [] } = does.reads ?? {};
  for (const read of new Set([...originals, ...masked])) {
    const other = table.columns.find(({ name }) => name === read);
    if (other !== undefined && !other.isGenerated) continue;
    const near = compilation.hints.nearest(
      read,
      table.columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name),
    );
    yield {
      code: 'reads-unknown-column',
      message: `has the rule \`${rule.transformer}\`, which reads the column \`${read}\`: ${other === undefined ? 'there is none' : 'the database computes it, so the content does not have it'}.`,
      suggestion: near === undefined ? 'Name a column of the same table.' : `Did you mean \`${near}\`?`,
    };
  }
}

/** Than the column for which its rule is made: what is given there need not fit here. */
function isNarrower({ maxLength }: ColumnSchema, facts: ColumnFacts): boolean {
  return maxLength !== undefined && (facts.maxLength ?? Number.POSITIVE_INFINITY) > maxLength;
}

/** Rules that wait for each other's outputs. */
export function checkReadOrder(table: TableSchema, decisions: ColumnDecisions, compilation: Compilation): void {
  const waits = new Map(
    table.columns.map((column) => [column.name, decisions.of(table, column)?.compiled?.facts.reads?.masked ?? []]),
  );
  const done = new Set<string>();
  const reported = new Set<string>();
  const visit = (column: string, path: readonly string[]): void => {
    if (done.has(column) || reported.has(column)) return;
    if (path.includes(column)) {
      for (const name of path.slice(path.indexOf(column))) reported.add(name);
      compilation.problems.push({
        code: 'reads-in-a-circle',
        table: table.name,
        column,
        message: `${nameOf({ table: table.name, column })} has a rule that reads what comes of others, and they of it: ${[...path.slice(path.indexOf(column)), column].join(' → ')}.`,
        suggestion: 'Let one of them read no other, or the original.',
      });
      return;
    }
    if (path.length === LONGEST_CHAIN) {
      for (const name of path) reported.add(name);
      compilation.problems.push({
        code: 'reads-in-a-circle',
        table: table.name,
        column,
        message: `${nameOf({ table: table.name, column })} is read by a rule whose output another reads, and so on more than ${LONGEST_CHAIN} times.`,
        suggestion: 'Let some of them read the original.',
      });
      return;
    }
    for (const next of waits.get(column) ?? []) visit(next, [...path, column]);
    done.add(column);
  };
  for (const column of waits.keys()) visit(column, []);
}

/** Of rules that wait for each other. */
const LONGEST_CHAIN = 100;

function nameAbsentColumns({ table }: CoveredTable, { policy, problems, hints }: Compilation): void {
  const own = policy.tables.get(table.name);
  if (own === undefined) return;
  const known = new Set(table.columns.map(({ name }) => name));
  const unnamed = table.columns.filter(({ name }) => !own.columns.has(name));
  for (const [column, { type }] of own.columns) {
    if (known.has(column)) continue;
    const alike = unnamed.filter((other) => type !== undefined && normalType(other.type) === type);
    const near =
      hints.nearest(
        column,
        unnamed.map(({ name }) => name),
      ) ?? (alike.length === 1 ? alike[0]?.name : undefined);
    problems.push(absentColumn(table.name, column, near));
  }
}

function absentColumn(table: string, column: string, near: string | undefined): PolicyProblem {
  return {
    code: 'column-matches-nothing',
    table,
    column,
    message: `The policy names the column ${table}.${column}, which the content does not have.`,
    suggestion: near === undefined ? 'Take it out.' : `Was it renamed to \`${near}\`? Else take it out.`,
  };
}

/** Domains that no key could be made for: a domain and a transformer of one name would share their pseudonyms. */
export function checkDomains(compilation: Compilation): void {
  const { policy, transformers, problems } = compilation;
  for (const [name, { rule }] of policy.domains) {
    if (transformers.has(name) || OTHER_WORDS.has(name))
      problems.push({
        code: 'domain-ambiguous',
        message: `The domain \`${name}\` is called as a transformer is, or as another word of policies.`,
        suggestion: `Give it a name of its own, such as \`shop.${name}\`.`,
      });
    if (!transformers.has(rule.transformer))
      compileRule(rule, { family: 'text', type: 'text', isNullable: true }, { column: name }, compilation);
  }
}

/** What a rule or a fate may be besides. */
const OTHER_WORDS = new Set([KEEP, 'generated', 'structure', 'drop']);
