import type { RowSelection, TableSelection } from '../masking/row-selection.ts';
import type { ChosenRows } from './closure.ts';
import type { KeyIndex } from './key-index.ts';
import type { MemberRun } from './member-runs.ts';
import { RowBits } from './row-bits.ts';
import type { SubsetPlan } from './subset-plan.ts';

/** What is chosen, told for each table that has rows of its own: partitions apart. */
export function selectionOf(plan: SubsetPlan, index: KeyIndex, chosen: ChosenRows): RowSelection {
  const tables: Record<string, TableSelection> = Object.create(null);
  for (const [number, { members }] of plan.tables.entries()) {
    const runs = index.tables[number] ?? [];
    const kept = chosen.kept[number];
    for (const member of members) {
      const own = runs.filter((run) => run.member === member);
      const cut = plan.edges.flatMap((edge, at) => {
        const bits = edge.table === number && edge.members.includes(member) ? chosen.cut[at] : undefined;
        return bits === undefined ? [] : [{ columns: edge.columns, rows: memberBits(own, bits).bytes }];
      });
      const bits = memberBits(own, kept);
      tables[member] = { rows: bits.rows, kept: bits.bytes, cut };
    }
  }
  return { tables };
}

/** Rows of a table and of those how many are chosen, for a preview of sizes. */
export function chosenCounts(plan: SubsetPlan, chosen: ChosenRows): { table: string; rows: number; of: number }[] {
  return plan.tables.map(({ name }, number) => {
    const bits = chosen.kept[number];
    return { table: name, rows: bits?.count() ?? 0, of: bits?.rows ?? 0 };
  });
}

function memberBits(runs: readonly MemberRun[], bits: RowBits | undefined): RowBits {
  const [only] = runs;
  const isAll = runs.length === 1 && only?.from === 0 && only.first === 0 && only.rows === bits?.rows;
  if (isAll) return bits;
  const found = new RowBits(runs.reduce((sum, { rows }) => sum + rows, 0));
  for (const { from, first, rows } of runs)
    for (let row = 0; row < rows; row++) if (bits?.has(first + row)) found.add(from + row);
  return found;
}
