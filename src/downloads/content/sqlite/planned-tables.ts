import type { TablePlan } from '../../variant-plan.ts';
import { tableName } from '../table-name.ts';
import type { DatabaseFacts, TableFacts } from './database-facts.ts';
import { variantFailed } from './sqlite-fault.ts';

export interface PlannedTable {
  facts: TableFacts;
  plan: TablePlan;
}

/** @throws HoldfastError `variant-failed` where the plan is not made for these tables */
export function plannedTables({ tables }: DatabaseFacts, plans: readonly TablePlan[]): PlannedTable[] {
  const byName = new Map(plans.map((plan) => [plan.table, plan]));
  const planned = tables.map((facts) => {
    const plan = byName.get(tableName([facts.name]));
    const fits =
      plan?.fate === 'drop' ||
      (plan !== undefined &&
        plan.columns.length === facts.columns.length &&
        plan.columns.every(({ column }, at) => column === facts.columns[at]?.name));
    if (plan === undefined || !fits)
      throw variantFailed(
        `The database is not the one that the plan was made for: table ${facts.name} is another. Make the variant again.`,
        { table: facts.name },
      );
    if (facts.isVirtual && plan.fate !== 'drop')
      throw variantFailed(
        `Table ${facts.name} is virtual: the tables behind it hold copies of texts that no rule reaches. Say \`drop\` for it; an application can make a search index again.`,
        { table: facts.name },
      );
    return { facts, plan };
  });
  if (planned.length !== byName.size)
    throw variantFailed('The database is not the one that the plan was made for: it has not all of its tables.');
  return planned;
}
