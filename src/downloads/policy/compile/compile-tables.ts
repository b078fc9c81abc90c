import { messageOf } from '../../../core/errors.ts';
import type { ColumnSchema, ContentSchema } from '../../content/content-schema.ts';
import type { ColumnPlan, Rule, TablePlan } from '../../variant-plan.ts';
import { checkColumns, checkReadOrder } from './check-columns.ts';
import { checkDerived } from './check-derived.ts';
import { checkForeignKeys, checkUniqueKeys } from './check-keys.ts';
import { type ColumnDecision, ColumnDecisions } from './column-decisions.ts';
import type { Compilation } from './compilation.ts';
import { KEPT } from './compile-rule.ts';
import { SchemaView } from './schema-view.ts';
import { type CoveredTable, coverTables } from './table-coverage.ts';

/** What is done to each table. Where the compilation has problems afterwards, it is not to be followed. */
export function compileTables(schema: ContentSchema, compilation: Compilation): TablePlan[] {
  const view = new SchemaView(schema);
  const covered = coverTables(view, compilation);
  const decisions = new ColumnDecisions(view, covered, compilation);
  for (const table of covered.values()) {
    if (table.fate !== 'rows') continue;
    checkColumns(table, decisions, compilation);
    checkReadOrder(table.table, decisions, compilation);
    checkDerived(table, view, decisions, compilation);
    checkUniqueKeys(table, view, decisions, compilation);
    checkForeignKeys(table, covered, view, decisions, compilation);
    checkUnlessOf(table, compilation);
  }
  return [...covered.values()].map((table) => tablePlan(table, decisions, compilation));
}

/** Holds the condition of `unless` against the columns that it names. */
export function checkUnlessOf({ table, unless }: CoveredTable, { language, problems }: Compilation): void {
  if (unless === undefined) return;
  try {
    language.checkPredicate(
      unless.rows,
      (name) => table.columns.find((column) => column.name === name && !column.isGenerated)?.family,
    );
  } catch (error) {
    problems.push({
      code: 'condition-invalid',
      table: table.name,
      message: `The condition \`unless\` of the table ${table.name} cannot be held against its rows: ${messageOf(error)}`,
      suggestion:
        'Name columns of the table that the database does not compute, and compare them with values of their types.',
    });
  }
}

export function tablePlan(
  { table, fate, unless }: CoveredTable,
  decisions: ColumnDecisions,
  compilation: Compilation,
): TablePlan {
  return {
    table: table.name,
    fate,
    columns: table.columns.map((column) => {
      const decision = decisions.of(table, column);
      const rule = column.isGenerated || fate !== 'rows' ? KEPT : decision?.compiled?.rule;
      if (rule === undefined) requireProblem(table.name, column.name, compilation);
      return columnPlan(column, decision, rule ?? KEPT);
    }),
    ...(unless === undefined ? {} : { unless: unless.rows }),
  };
}

/** A column for which no rule could be made stops the variant, whatever the reason was and whether anybody has said it. */
function requireProblem(table: string, column: string, { problems }: Compilation): void {
  if (problems.length > 0) return;
  problems.push({
    code: 'column-not-named',
    table,
    column,
    message: `The column ${table}.${column} has no rule that can be followed.`,
    suggestion: 'Give it a rule of its own.',
  });
}

function columnPlan(column: ColumnSchema, decision: ColumnDecision | undefined, rule: Rule): ColumnPlan {
  const { name, isNullable, allowedValues } = column;
  const { family, type, maxLength } = decision?.facts ?? column;
  return {
    column: name,
    rule,
    family,
    type,
    isNullable,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(allowedValues === undefined ? {} : { allowedValues }),
    ...(decision?.policy?.allowDetected === undefined ? {} : { allowsDetected: true as const }),
  };
}
