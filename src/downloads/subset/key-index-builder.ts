import { HoldfastError } from '../../core/errors.ts';
import type { TypeFamily } from '../content/content-schema.ts';
import type { RowScan } from '../content/table-content.ts';
import { compilePredicate } from '../predicate/compile-predicate.ts';
import { comparableKey } from './comparable-key.ts';
import { GrowingNumbers } from './growing-numbers.ts';
import { jsonMember } from './json-member.ts';
import type { KeyIndex, RootIndex } from './key-index.ts';
import { createKeyList, type KeyList } from './key-list.ts';
import { KeyTable } from './key-table.ts';
import { MemberRuns } from './member-runs.ts';
import { RowBits } from './row-bits.ts';
import { sortingValue } from './sorting-value.ts';
import { samplePlace } from './stable-sample.ts';
import type { KeyKind, PlannedEdge, PlannedRoot, SubsetPlan } from './subset-plan.ts';

type Values = readonly (string | null)[];
type Visit = (values: Values) => void;
/** Where a column stands in the rows that are visited; asks for it. */
type Wanting = (column: string) => number;

/**
 * Gathers the keys of all rows in one pass over a content, and then says which row each reference leads to. The method is that of
 * section 4.7 of the research: keys in typed arrays, references as ordinals of rows.
 */
export class KeyIndexBuilder implements RowScan {
  readonly #plan: SubsetPlan;
  readonly #tables: readonly MemberRuns[];
  readonly #tableOf = new Map<string, number>();
  readonly #references: (KeyList | undefined)[];
  readonly #targets = new Map<string, { edge: PlannedEdge; keys: KeyList }>();
  readonly #roots: readonly GatheredRoot[];
  readonly #places: (GrowingNumbers | undefined)[];
  #visit: Visit | undefined;
  #runs: MemberRuns | undefined;

  constructor(plan: SubsetPlan) {
    this.#plan = plan;
    this.#tables = plan.tables.map(() => new MemberRuns());
    for (const [index, { members }] of plan.tables.entries())
      for (const member of members) this.#tableOf.set(member, index);
    this.#references = plan.edges.map(({ keys }) => createKeyList(keys));
    for (const edge of plan.edges)
      if (!this.#targets.has(targetOf(edge)))
        this.#targets.set(targetOf(edge), { edge, keys: createKeyList(edge.keys) });
    this.#roots = plan.roots.map((root) => ({
      root,
      ...(root.where === undefined ? {} : { chosen: new GrowingNumbers('uint32') }),
      ...(root.newest === undefined ? {} : { sorting: new GrowingNumbers('float64') }),
    }));
    this.#places = plan.tables.map(({ sampledBy }) =>
      sampledBy.length === 0 ? undefined : new GrowingNumbers('uint32'),
    );
  }

  begin(table: string, columns: readonly string[]): readonly number[] | undefined {
    const index = this.#tableOf.get(table);
    this.#visit = undefined;
    this.#runs = index === undefined ? undefined : this.#tables[index];
    if (index === undefined) return undefined;
    const wanted: number[] = [];
    const want: Wanting = (column) => {
      const at = columns.indexOf(column);
      if (at < 0) throw columnMissing(table, column);
      const known = wanted.indexOf(at);
      return known < 0 ? wanted.push(at) - 1 : known;
    };
    const visits = this.#visitsOf(index, table, want);
    this.#visit = (values) => {
      for (const visit of visits) visit(values);
    };
    return wanted;
  }

  row(table: string, ordinal: number, values: Values): void {
    this.#runs?.add(table, ordinal);
    this.#visit?.(values);
  }

  /** After the last row. What was gathered is gone afterwards. */
  finish(): KeyIndex {
    const references: Int32Array[] = this.#plan.edges.map(() => new Int32Array(0));
    // One key table after the other: each is as large as the keys themselves, which are gone before the next.
    for (const [name, { edge: target, keys }] of [...this.#targets]) {
      this.#targets.delete(name);
      const table = requireUnique(new KeyTable(keys), target);
      for (const [index, edge] of this.#plan.edges.entries()) {
        const list = this.#references[index];
        if (list === undefined || targetOf(edge) !== name) continue;
        this.#references[index] = undefined;
        references[index] = resolved(list, table);
      }
    }
    return {
      tables: this.#tables.map(({ runs }) => runs),
      references,
      places: this.#places.map((places) => (places === undefined ? undefined : numbersOf(places))),
      roots: this.#roots.map(finishedRoot),
    };
  }

  #visitsOf(index: number, member: string, want: Wanting): Visit[] {
    const visits: Visit[] = [];
    for (const [at, edge] of this.#plan.edges.entries()) {
      const list = this.#references[at];
      if (edge.table === index && list !== undefined)
        visits.push(edge.members.includes(member) ? referencing(edge, list, want) : () => list.push(null));
    }
    for (const { edge, keys } of this.#targets.values()) {
      if (edge.target !== index) continue;
      const key = keyOf(edge.targetColumns, edge.keys, want);
      visits.push(edge.targetMembers.includes(member) ? (values) => keys.push(key(values)) : () => keys.push(null));
    }
    for (const gathered of this.#roots) if (gathered.root.table === index) visits.push(...rootVisits(gathered, want));
    const places = this.#places[index];
    const { sampledBy, name } = this.#plan.tables[index] ?? { sampledBy: [], name: '' };
    if (places !== undefined) {
      const positions = sampledBy.map(want);
      const { seed } = this.#plan;
      visits.push((values) =>
        places.push(
          samplePlace(
            seed,
            name,
            positions.map((at) => values[at] ?? null),
          ),
        ),
      );
    }
    return visits;
  }
}

interface GatheredRoot {
  root: PlannedRoot;
  chosen?: GrowingNumbers;
  sorting?: GrowingNumbers;
}

function rootVisits({ root, chosen, sorting }: GatheredRoot, want: Wanting): Visit[] {
  const visits: Visit[] = [];
  if (root.where !== undefined && chosen !== undefined) {
    const familyOf = (column: string): TypeFamily => root.families[column] ?? 'text';
    const isMeant = compilePredicate(root.where, familyOf, want);
    visits.push((values) => chosen.push(isMeant(values) ? 1 : 0));
  }
  if (root.newest !== undefined && sorting !== undefined) {
    const at = want(root.newest.by);
    const { family } = root.newest;
    visits.push((values) => sorting.push(sortingValue(values[at] ?? null, family)));
  }
  return visits;
}

function finishedRoot({ chosen, sorting }: GatheredRoot): RootIndex {
  return {
    ...(chosen === undefined ? {} : { chosen: bitsOf(chosen) }),
    ...(sorting === undefined
      ? {}
      : { sorting: Float64Array.from({ length: sorting.length }, (_, at) => sorting.at(at)) }),
  };
}

function bitsOf(chosen: GrowingNumbers): RowBits {
  const bits = new RowBits(chosen.length);
  for (let at = 0; at < chosen.length; at++) if (chosen.at(at) === 1) bits.add(at);
  return bits;
}

function numbersOf(numbers: GrowingNumbers): Uint32Array {
  const all = new Uint32Array(numbers.length);
  for (let at = 0; at < all.length; at++) all[at] = numbers.at(at);
  return all;
}

/** One key table serves all references to the same columns. */
function targetOf({ target, targetMembers, targetColumns, keys }: PlannedEdge): string {
  return JSON.stringify([target, targetMembers, targetColumns, keys]);
}

function referencing(edge: PlannedEdge, list: KeyList, want: Wanting): Visit {
  const { jsonPath, when = [] } = edge;
  const key = jsonPath === undefined ? keyOf(edge.columns, edge.keys, want) : memberKey(edge, jsonPath, want);
  const conditions = when.map(({ column, value }) => ({ at: want(column), value }));
  return (values) => list.push(conditions.every(({ at, value }) => values[at] === value) ? key(values) : null);
}

/** A key of several columns is NULL where one of them is, as with MATCH SIMPLE. */
function keyOf(columns: readonly string[], kind: KeyKind, want: Wanting): (values: Values) => string | null {
  const positions = columns.map(want);
  const [only] = positions;
  const comparable = comparableKey(kind);
  const partOf = (values: Values, at: number): string | null => {
    const value = values[at] ?? null;
    return value === null ? null : comparable(value);
  };
  if (positions.length === 1 && only !== undefined) return (values) => partOf(values, only);
  return (values) => {
    let key = '';
    for (const at of positions) {
      const part = partOf(values, at);
      if (part === null) return null;
      // Its length tells where the part ends.
      key += `${part.length} ${part}`;
    }
    return key;
  };
}

function memberKey(edge: PlannedEdge, path: readonly string[], want: Wanting): (values: Values) => string | null {
  const json = keyOf(edge.columns, 'text', want);
  const comparable = comparableKey(edge.keys);
  return (values) => {
    const text = json(values);
    const member = text === null ? null : jsonMember(text, path);
    return member === null ? null : comparable(member);
  };
}

function resolved(keys: KeyList, table: KeyTable): Int32Array {
  const rows = new Int32Array(keys.length);
  for (let at = 0; at < rows.length; at++) rows[at] = table.find(keys, at);
  return rows;
}

function requireUnique(table: KeyTable, { title, targetColumns }: PlannedEdge): KeyTable {
  if (table.duplicate === undefined) return table;
  const message = `The reference ${title} (${targetColumns.join(', ')}) leads to columns in which several rows have the same value, or values that differ in case alone. Take it out of the policy's keys, or name a unique key.`;
  throw new HoldfastError('invalid', 'variant-failed', message);
}

function columnMissing(table: string, column: string): HoldfastError {
  const message = `The rows of ${table} have no column "${column}" in this content, although its definition has.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details: { table, column } });
}
