import { messageOf } from '../../../core/errors.ts';
import type { ColumnSchema, ContentSchema } from '../../content/content-schema.ts';
import type { ColumnPlan, TablePlan } from '../../variant-plan.ts';
import { checkColumns, checkReadOrder } from './check-columns.ts';
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
    checkUniqueKeys(table, view, decisions, compilation);
    checkForeignKeys(table, covered, view, decisions, compilation);
    checkUnlessOf(table, compilation);
  }
  return [...covered.values()].map((table) => tablePlan(table, decisions));
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

export function tablePlan({ table, fate, unless }: CoveredTable, decisions: ColumnDecisions): TablePlan {
  return {
    table: table.name,
    fate,
    columns: table.columns.map((column) => columnPlan(column, decisions.of(table, column))),
    ...(unless === undefined ? {} : { unless: unless.rows }),
  };
}

function columnPlan(column: ColumnSchema, decision: ColumnDecision | undefined): ColumnPlan {
  const { name, isNullable, allowedValues, isGenerated } = column;
  const { family, type, maxLength } = decision?.facts ?? column;
  return {
    column: name,
    rule: isGenerated ? KEPT : (decision?.compiled?.rule ?? KEPT),
    family,
    type,
    isNullable,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(allowedValues === undefined ? {} : { allowedValues }),
    ...(decision?.policy?.allowDetected === undefined ? {} : { allowsDetected: true as const }),
  };
}
