import { messageOf } from '../../../core/errors.ts';
import type { SqlDialect } from '../../../core/ports/service-download.ts';
import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import { standIn } from '../../masking/transformers/derive.ts';
import { sqlExpression } from '../../sql/sql-expression.ts';
import { DERIVE } from '../../variant-plan.ts';
import type { ColumnDecision, ColumnDecisions } from './column-decisions.ts';
import type { Compilation } from './compilation.ts';
import { nameOf } from './compile-rule.ts';
import type { PolicyProblem, PolicyProblemCode } from './policy-problem.ts';
import type { SchemaView } from './schema-view.ts';
import type { CoveredTable } from './table-coverage.ts';

/** Holds the columns that the database is to fill when the rows are there against what a dump allows, and their expressions against the columns of the table. */
export function checkDerived(
  { table }: CoveredTable,
  view: SchemaView,
  decisions: ColumnDecisions,
  compilation: Compilation,
): void {
  const columns = table.columns.flatMap((column) => decisions.of(table, column) ?? []);
  const derived = columns.filter(isDerived);
  if (derived.length === 0) return;
  const names = new Set(derived.map(({ column }) => column.name));
  for (const decision of derived)
    for (const fault of faultsOf(table, decision, names, view, compilation))
      compilation.problems.push(problemOf(table, decision.column, fault));
  for (const { column, compiled } of columns)
    for (const read of compiled?.facts.reads?.masked ?? [])
      if (names.has(read))
        compilation.problems.push(
          problemOf(table, column, {
            code: 'reads-unknown-column',
            message: `has the rule \`${compiled?.rule.transformer}\`, which reads \`${read}\` as it is given: that is filled by the database, when all rows are there.`,
            suggestion: 'Read another column, or derive this one as well.',
          }),
        );
}

/** Of the columns of a table of PostgreSQL of which there are rows and no definition. */
const UNDEFINED_TYPE = 'unknown';

interface Fault {
  code: PolicyProblemCode;
  message: string;
  suggestion: string;
}

function isDerived({ column, compiled }: ColumnDecision): boolean {
  return compiled?.rule.transformer === DERIVE && !column.isGenerated;
}

function* faultsOf(
  table: TableSchema,
  { column, facts, compiled }: ColumnDecision,
  derived: ReadonlySet<string>,
  view: SchemaView,
  compilation: Compilation,
): Generator<Fault> {
  const { dialect } = view.schema;
  if (dialect !== 'postgresql' && dialect !== 'mysql') {
    yield {
      code: 'derive-not-possible',
      message: `has the rule \`${DERIVE}\`, and no database computes anything while ${dialect === 'csv' ? 'a file' : 'this'} is read: only SQL of PostgreSQL, MySQL and MariaDB can say what is to be computed.`,
      suggestion: 'Write another rule, such as `template`, null or `default`.',
    };
    return;
  }
  const options = compiled?.rule.options ?? {};
  yield* placeFaults(table, column, view);
  yield* standInFaults(table, column, standIn(options, facts), dialect);
  yield* expressionFaults(table, column, { written: String(options.expression), derived, dialect }, compilation);
}

/** Where the value of a row decides what belongs together, it must be there with the row. */
function* placeFaults(table: TableSchema, { name, type }: ColumnSchema, view: SchemaView): Generator<Fault> {
  if (type === UNDEFINED_TYPE)
    yield {
      code: 'derive-not-possible',
      message: `is of a table that the dump has rows of and does not make (--data-only, or an extension makes it): where they are loaded, the rule \`${DERIVE}\` would change rows that are there already.`,
      suggestion: 'Make the dump with its definitions, or write a rule that masks the value itself.',
    };
  const refers = table.foreignKeys.find(({ columns }) => columns.includes(name));
  const isMeant = view.schema.tables.some(({ foreignKeys }) =>
    foreignKeys.some(({ target, targetColumns }) => target === table.name && targetColumns.includes(name)),
  );
  const isPrimary = table.uniqueKeys.some(({ isPrimary, columns }) => isPrimary && columns.includes(name));
  const part = isPrimary ? 'the primary key' : refers || isMeant ? 'a foreign key' : undefined;
  if (part === undefined) return;
  yield {
    code: 'derive-not-possible',
    message: `is part of ${part}, and the rule \`${DERIVE}\` gives it a value only when the rows are there.`,
    suggestion: 'Write a rule that masks the value itself.',
  };
}

function* standInFaults(
  table: TableSchema,
  { name, type }: ColumnSchema,
  meanwhile: string | null | undefined,
  dialect: SqlDialect,
): Generator<Fault> {
  if (meanwhile === undefined)
    yield {
      code: 'null-not-allowed',
      message: `is NOT NULL and of the type \`${type}\`, of which no empty value is known that could stand there until it is filled.`,
      suggestion: `Say which: \`{ ${DERIVE}: { expression: "…", meanwhile: … } }\`.`,
    };
  // Dumps of MySQL make unique keys before the rows.
  const unique = table.uniqueKeys.find(({ columns, isPrimary }) => !isPrimary && columns.includes(name));
  if (dialect === 'mysql' && unique !== undefined && meanwhile !== null && meanwhile !== undefined)
    yield {
      code: 'derive-not-possible',
      message: `is part of the unique key ${unique.name}, and until it is filled the same value stands in all rows.`,
      suggestion: 'Write a rule that masks the value itself, such as `hash` or `token`.',
    };
}

function* expressionFaults(
  table: TableSchema,
  column: ColumnSchema,
  { written, derived, dialect }: { written: string; derived: ReadonlySet<string>; dialect: SqlDialect },
  { hints }: Compilation,
): Generator<Fault> {
  let names: readonly string[];
  try {
    names = sqlExpression(written, dialect).names;
  } catch (error) {
    yield {
      code: 'options-invalid',
      message: `has the rule \`${DERIVE}\` with an expression that cannot be put into a statement: it ${messageOf(error)}.`,
      suggestion: "Write one expression over the table's own columns, such as `to_tsvector('simple', title)`.",
    };
    return;
  }
  const isSame = (one: string, other: string) =>
    dialect === 'mysql' ? one.toLowerCase() === other.toLowerCase() : one === other;
  const read = table.columns.filter((each) => names.some((name) => isSame(name, each.name)));
  const filled = read.find(({ name }) => derived.has(name));
  if (filled !== undefined)
    yield {
      code: 'reads-in-a-circle',
      message: `has the rule \`${DERIVE}\`, whose expression reads ${filled === column ? 'the column itself' : `\`${filled.name}\`, which is derived too`}: nothing is in it yet.`,
      suggestion: 'Name the columns that it is computed of.',
    };
  if (read.length > 0) return;
  const own = table.columns.map(({ name }) => name);
  const near = names.map((name) => hints.nearest(name, own)).find((name) => name !== undefined);
  yield {
    code: 'reads-unknown-column',
    message: `has the rule \`${DERIVE}\`, whose expression names no column of the table.`,
    suggestion: `${near === undefined ? 'Name a column of the same table' : `Did you mean \`${near}\`?`}${near === undefined ? ', or write `const`.' : ''}`,
  };
}

function problemOf(table: TableSchema, column: ColumnSchema, { message, ...fault }: Fault): PolicyProblem {
  const place = { table: table.name, column: column.name };
  return { ...fault, ...place, message: `${nameOf(place)} ${message}` };
}
