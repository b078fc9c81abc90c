import { HoldfastError } from '../../core/errors.ts';
import type { RowPlaces } from '../content/row-places.ts';
import type { ArchiveScan, RowFields } from '../content/table-content.ts';
import { EdgeKeys, type Visit, type Wanting } from './edge-keys.ts';
import type { KeyIndex, RowFacts } from './key-index.ts';
import { MemberRuns } from './member-runs.ts';
import { RootRows } from './root-rows.ts';
import type { SubsetPlan } from './subset-plan.ts';

/** Of which parts of an index the rows are to be read. */
export interface IndexParts {
  keys: boolean;
  facts: boolean;
}

export interface GatheredIndex {
  keys?: KeyIndex;
  facts?: RowFacts;
}

/**
 * Gathers the keys of all rows in one pass over a content, and then says which row each reference leads to. The method is that of
 * section 4.7 of the research: keys in typed arrays, references as ordinals of rows. Rows of tables that nothing is to be known of are only counted.
 */
export class KeyIndexBuilder implements ArchiveScan {
  readonly #tables: readonly MemberRuns[];
  readonly #tableOf = new Map<string, number>();
  readonly #keys: EdgeKeys | undefined;
  readonly #roots: RootRows | undefined;
  readonly #row = new RowOfValues();
  #visits: readonly Visit[] = [];
  #runs: MemberRuns | undefined;
  #places: RowPlaces | undefined;

  constructor(plan: SubsetPlan, parts: IndexParts = { keys: true, facts: true }) {
    this.#tables = plan.tables.map(() => new MemberRuns());
    for (const [index, { members }] of plan.tables.entries())
      for (const member of members) this.#tableOf.set(member, index);
    this.#keys = parts.keys ? new EdgeKeys(plan.edges) : undefined;
    this.#roots = parts.facts ? new RootRows(plan) : undefined;
  }

  begin(table: string, columns: readonly string[]): readonly number[] | undefined {
    const index = this.#tableOf.get(table);
    this.#visits = [];
    this.#runs = undefined;
    if (index === undefined) return undefined;
    const wanted: number[] = [];
    const want: Wanting = (column) => {
      const at = columns.indexOf(column);
      if (at < 0) throw columnMissing(table, column);
      const known = wanted.indexOf(at);
      return known < 0 ? wanted.push(at) - 1 : known;
    };
    this.#visits = [...(this.#keys?.visits(index, table, want) ?? []), ...(this.#roots?.visits(index, want) ?? [])];
    if (this.#visits.length === 0) return undefined;
    this.#runs = this.#tables[index];
    return wanted;
  }

  row(table: string, ordinal: number, values: readonly (string | null)[]): void {
    this.#row.values = values;
    this.fields(table, ordinal, this.#row);
  }

  fields(table: string, ordinal: number, fields: RowFields): void {
    this.#runs?.add(table, ordinal);
    for (const visit of this.#visits) visit(fields);
  }

  end(table: string, rows: number): void {
    const runs = this.#tables[this.#tableOf.get(table) ?? -1];
    if (rows > 0 && !runs?.runs.some(({ member }) => member === table)) runs?.addRows(table, 0, rows);
  }

  places(places: RowPlaces): void {
    this.#places = places;
  }

  /** After the last row. What was gathered is gone afterwards. */
  finish(): GatheredIndex {
    const [keys, roots, places] = [this.#keys, this.#roots, this.#places];
    return {
      ...(keys === undefined
        ? {}
        : {
            keys: {
              tables: this.#tables.map(({ runs }) => runs),
              references: keys.references(),
              ...(places === undefined ? {} : { places }),
            },
          }),
      ...(roots === undefined ? {} : { facts: roots.facts() }),
    };
  }
}

class RowOfValues implements RowFields {
  values: readonly (string | null)[] = [];

  integer(): undefined {
    return undefined;
  }

  value(index: number): string | null {
    return this.values[index] ?? null;
  }
}

function columnMissing(table: string, column: string): HoldfastError {
  const message = `The rows of ${table} have no column "${column}" in this content, although its definition has.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details: { table, column } });
}
