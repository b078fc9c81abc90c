import type { TypeFamily } from '../content/content-schema.ts';
import { compilePredicate } from '../predicate/compile-predicate.ts';
import type { Visit, Wanting } from './edge-keys.ts';
import { GrowingBits } from './growing-bits.ts';
import { GrowingNumbers } from './growing-numbers.ts';
import type { RootFacts, RowFacts } from './key-index.ts';
import { sortingValue } from './sorting-value.ts';
import { rowMark } from './stable-sample.ts';
import type { PlannedRoot, SubsetPlan } from './subset-plan.ts';

interface GatheredRoot {
  root: PlannedRoot;
  chosen?: GrowingBits;
  sorting?: GrowingNumbers<Float64Array>;
}

/** Gathers what the roots and limits of a plan go by. */
export class RootRows {
  readonly #tables: SubsetPlan['tables'];
  readonly #roots: readonly GatheredRoot[];
  readonly #marks: readonly (GrowingNumbers<Uint32Array> | undefined)[];

  constructor({ tables, roots }: SubsetPlan) {
    this.#tables = tables;
    this.#roots = roots.map((root) => ({
      root,
      ...(root.where === undefined ? {} : { chosen: new GrowingBits() }),
      ...(root.newest === undefined ? {} : { sorting: new GrowingNumbers((length) => new Float64Array(length)) }),
    }));
    this.#marks = tables.map(({ sampledBy }) =>
      sampledBy.length === 0 ? undefined : new GrowingNumbers((length) => new Uint32Array(length)),
    );
  }

  /** What the rows of a table are to be shown to. */
  visits(table: number, want: Wanting): Visit[] {
    const visits: Visit[] = [];
    for (const gathered of this.#roots) if (gathered.root.table === table) visits.push(...rootVisits(gathered, want));
    const marks = this.#marks[table];
    const { sampledBy, name } = this.#tables[table] ?? { sampledBy: [], name: '' };
    if (marks === undefined) return visits;
    const positions = sampledBy.map(want);
    visits.push((fields) =>
      marks.push(
        rowMark(
          name,
          positions.map((at) => fields.value(at)),
        ),
      ),
    );
    return visits;
  }

  /** What was gathered is gone afterwards. */
  facts(): RowFacts {
    return { marks: this.#marks.map((marks) => marks?.taken()), roots: this.#roots.map(factsOf) };
  }
}

function rootVisits({ root, chosen, sorting }: GatheredRoot, want: Wanting): Visit[] {
  const visits: Visit[] = [];
  if (root.where !== undefined && chosen !== undefined) {
    const familyOf = (column: string): TypeFamily => root.families[column] ?? 'text';
    const positions: number[] = [];
    const isMeant = compilePredicate(root.where, familyOf, (column) => {
      const at = want(column);
      positions.push(at);
      return at;
    });
    const values: (string | null)[] = [];
    visits.push((fields) => {
      for (const at of positions) values[at] = fields.value(at);
      chosen.push(isMeant(values));
    });
  }
  if (root.newest !== undefined && sorting !== undefined) {
    const at = want(root.newest.by);
    const { family } = root.newest;
    visits.push((fields) => sorting.push(sortingValue(fields.value(at), family)));
  }
  return visits;
}

function factsOf({ chosen, sorting }: GatheredRoot): RootFacts {
  return {
    ...(chosen === undefined ? {} : { chosen: chosen.bits() }),
    ...(sorting === undefined ? {} : { sorting: sorting.taken() }),
  };
}
