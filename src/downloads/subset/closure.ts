import { HoldfastError } from '../../core/errors.ts';
import { rowsOf, type SubsetIndex } from './key-index.ts';
import { DANGLING } from './key-table.ts';
import { ReferringRows } from './referring-rows.ts';
import { RowBits } from './row-bits.ts';
import { RowReferences } from './row-references.ts';
import { seedRows } from './seed-rows.ts';
import { samplePlaces } from './stable-sample.ts';
import type { PlannedEdge, SubsetPlan } from './subset-plan.ts';

/** The rows that a reduced variant has, by the indexes of the plan. */
export interface ChosenRows {
  kept: readonly RowBits[];
  /** For each edge, the rows in which the reference becomes NULL; undefined where there are none. */
  cut: readonly (RowBits | undefined)[];
}

/**
 * Chooses rows such that each reference of a chosen row leads to a chosen row, is NULL, or is cut: roots, their children along the edges
 * that are followed, and whatever any of these refer to, until nothing is added. Cycles need no care, since rows are marked once.
 *
 * @throws HoldfastError `variant-failed` (invalid): references that lead nowhere, where these are not allowed; `variant-over-budget`
 */
export function chooseRows(plan: SubsetPlan, index: SubsetIndex): ChosenRows {
  const closure = new Closure(plan, index);
  closure.addRoots();
  closure.addReferenced();
  const chosen = closure.result();
  requireBudget(plan, chosen);
  return chosen;
}

class Closure {
  readonly #plan: SubsetPlan;
  readonly #index: SubsetIndex;
  readonly #placeOf: (table: number) => (row: number) => number;
  readonly #kept: readonly RowBits[];
  readonly #excluded: readonly RowBits[] | undefined;
  /** Edges from a table, and whether they are followed upwards. */
  readonly #upwards: readonly { edge: PlannedEdge; references: RowReferences; number: number }[][];
  readonly #waiting: number[][];
  /** By the number of their edge. */
  readonly #referring = new Map<number, ReferringRows>();

  constructor(plan: SubsetPlan, index: SubsetIndex) {
    this.#plan = plan;
    this.#index = index;
    const placeOfMark = samplePlaces(plan.seed);
    this.#placeOf = (table) => {
      const marks = index.marks[table];
      return marks === undefined ? (row) => row : (row) => placeOfMark(marks[row] ?? 0);
    };
    const rows = plan.tables.map((_, table) => rowsOf(index, table));
    this.#kept = rows.map((count) => new RowBits(count));
    this.#waiting = rows.map(() => []);
    this.#upwards = plan.tables.map((_, table) =>
      plan.edges.flatMap((edge, number) =>
        edge.table === table ? [{ edge, references: index.references[number] ?? NONE, number }] : [],
      ),
    );
    this.#excluded = plan.dangling === 'drop' ? this.#withoutDangling(rows) : undefined;
  }

  addRoots(): void {
    for (const [number, root] of this.#plan.roots.entries())
      for (const row of seedRows(root, number, { index: this.#index, placeOf: this.#placeOf(root.table) }))
        this.#keep(root.table, row);
    this.#addChildren();
    for (const table of this.#plan.whole)
      for (let row = 0; row < rowsOf(this.#index, table); row++) this.#keep(table, row);
  }

  /** Everything that chosen rows refer to. */
  addReferenced(): void {
    for (let table = this.#next(); table !== undefined; table = this.#next()) {
      const rows = this.#waiting[table] ?? [];
      this.#waiting[table] = [];
      for (const { edge, references } of this.#upwards[table] ?? []) {
        if (edge.isCut) continue;
        for (const row of rows) {
          const target = references.at(row);
          if (target >= 0) this.#keep(edge.target, target);
          else if (target === DANGLING) this.#dangles(edge);
        }
      }
    }
  }

  result(): ChosenRows {
    const { edges, dangling } = this.#plan;
    const cut = edges.map((edge, number) => {
      const cutsDangling = dangling === 'null' && !edge.isVirtual;
      if (!edge.isCut && !cutsDangling) return undefined;
      const references = this.#index.references[number] ?? NONE;
      const rows = new RowBits(references.length);
      for (const row of this.#kept[edge.table] ?? []) {
        const target = references.at(row);
        const leadsNowhere =
          target === DANGLING
            ? edge.isCut || cutsDangling
            : edge.isCut && target >= 0 && !this.#kept[edge.target]?.has(target);
        if (leadsNowhere) rows.add(row);
      }
      return rows;
    });
    return { kept: this.#kept, cut };
  }

  /** Children of rows that are chosen so far, and children of these. */
  #addChildren(): void {
    let parents = this.#kept.map((bits) => [...bits]);
    while (parents.some((rows) => rows.length > 0)) {
      const added: number[][] = this.#kept.map(() => []);
      for (const followed of this.#plan.follow) {
        const edge = this.#plan.edges[followed.edges[0] ?? -1];
        const rows = edge === undefined ? [] : (parents[edge.target] ?? []);
        if (edge === undefined || rows.length === 0) continue;
        for (const children of this.#childrenOfEach(rows, followed.edges))
          for (const row of this.#within(followed.limitPerParent, children, edge))
            if (this.#keep(edge.table, row)) added[edge.table]?.push(row);
      }
      parents = added;
    }
  }

  *#childrenOfEach(rows: readonly number[], edges: readonly number[]): Generator<Int32Array> {
    const [first = -1, ...others] = edges;
    if (others.length === 0) yield* this.#referringBy(first).ofEach(rows);
    else
      for (const row of rows)
        yield Int32Array.from(new Set(edges.flatMap((edge) => [...this.#referringBy(edge).of(row)])));
  }

  /** Where a limit leaves some out, those with the lowest places stay, so that they are the same tomorrow. */
  #within(limit: number | undefined, all: Int32Array, { table }: PlannedEdge): Int32Array {
    const excluded = this.#excluded?.[table];
    const children = excluded === undefined ? all : all.filter((row) => !excluded.has(row));
    if (limit === undefined || children.length <= limit) return children;
    const placeOf = this.#placeOf(table);
    return children.toSorted((one, other) => placeOf(one) - placeOf(other) || one - other).subarray(0, limit);
  }

  #referringBy(number: number): ReferringRows {
    const known = this.#referring.get(number);
    if (known !== undefined) return known;
    const references = this.#index.references[number] ?? NONE;
    const made = new ReferringRows(references, rowsOf(this.#index, this.#plan.edges[number]?.target ?? -1));
    this.#referring.set(number, made);
    return made;
  }

  #keep(table: number, row: number): boolean {
    if (this.#excluded?.[table]?.has(row) || !this.#kept[table]?.add(row)) return false;
    this.#waiting[table]?.push(row);
    return true;
  }

  #next(): number | undefined {
    const table = this.#waiting.findIndex((rows) => rows.length > 0);
    return table < 0 ? undefined : table;
  }

  #dangles(edge: PlannedEdge): void {
    if (edge.isVirtual || this.#plan.dangling !== 'fail') return;
    const message = `Rows of ${edge.title} refer to rows that are not there. Say in the policy what becomes of them (subset.dangling: null, drop or keep), or mend the data.`;
    throw new HoldfastError('invalid', 'variant-failed', message, { details: { edge: edge.title } });
  }

  /** Rows whose reference leads nowhere, and rows that need one of these. */
  #withoutDangling(rows: readonly number[]): RowBits[] {
    const excluded = rows.map((count) => new RowBits(count));
    const waiting: { table: number; row: number }[] = [];
    const exclude = (table: number, row: number): void => {
      if (excluded[table]?.add(row)) waiting.push({ table, row });
    };
    const needing = this.#upwards.flat().filter(({ edge }) => !edge.isVirtual && !edge.isCut);
    for (const { edge, references } of needing)
      for (let row = 0; row < references.length; row++) if (references.at(row) === DANGLING) exclude(edge.table, row);
    for (let gone = waiting.pop(); gone !== undefined; gone = waiting.pop())
      for (const { edge, number } of needing)
        if (edge.target === gone.table)
          for (const row of this.#referringBy(number).of(gone.row)) exclude(edge.table, row);
    return excluded;
  }
}

const NONE = RowReferences.of(new Int32Array(0));

function requireBudget({ budget, tables }: SubsetPlan, { kept }: ChosenRows): void {
  const counts = kept.map((bits) => bits.count());
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (budget.maxRows === undefined || rows <= budget.maxRows) return;
  const largest = tables
    .map(({ name }, at) => ({ name, rows: counts[at] ?? 0 }))
    .sort((one, other) => other.rows - one.rows);
  const named = largest.slice(0, 5).map(({ name, rows: count }) => `${name}: ${count}`);
  const message = `The reduced variant would have ${rows} rows, more than the ${budget.maxRows} of its budget. Most are in ${named.join(', ')}. Take smaller samples, follow fewer children or cut references (null_out), or raise max_rows.`;
  throw new HoldfastError('too-large', 'variant-over-budget', message, { details: { rows, maxRows: budget.maxRows } });
}
