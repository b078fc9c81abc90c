import type { TableSelection } from '../../masking/row-selection.ts';
import { ROWS_OF_GROUP, type RowPlaces, type TablePlaces } from '../row-places.ts';
import { nextChosen } from './next-chosen.ts';

/** Which groups of rows of an archive are read for the sake of a row in them, and what is read with them. */
export interface WantedGroups {
  /** Where each part begins that is read, and where it ends. */
  bounds: Float64Array;
  /** For each table, in their order; undefined where all of its rows are read. */
  groups: readonly (Int32Array | undefined)[];
}

/** All that is no row, all rows of tables of which nobody chose, and of the others the groups that have a chosen row. */
export function wantedGroups(
  { bytes, tables }: RowPlaces,
  selections: ReadonlyMap<string, TableSelection>,
): WantedGroups {
  const parts = new Parts();
  const groups = tables.map((places) => {
    const selection = selections.get(places.table);
    const wanted = selection && chosenGroups(places, selection);
    if (wanted === undefined) return undefined;
    parts.until(places.from);
    if (wanted.length > 0) addGroups(parts, places, wanted);
    parts.from(places.to);
    return wanted;
  });
  parts.until(bytes);
  return { bounds: Float64Array.from(parts.bounds), groups };
}

/** Undefined: where the groups are is not known, and some are wanted. */
function chosenGroups({ rows, groups }: TablePlaces, selection: TableSelection): Int32Array | undefined {
  const wanted: number[] = [];
  for (let row = nextChosen(selection, 0); row < Math.min(rows, selection.rows); ) {
    const group = Math.floor(row / ROWS_OF_GROUP);
    wanted.push(group);
    row = nextChosen(selection, (group + 1) * ROWS_OF_GROUP);
  }
  return groups === undefined && wanted.length > 0 ? undefined : Int32Array.from(wanted);
}

function addGroups(parts: Parts, { from, groups = NONE }: TablePlaces, wanted: Int32Array): void {
  let [at, next] = [from, 0];
  for (let group = 0; next < wanted.length && group < groups.length; group++) {
    const end = at + (groups[group] as number);
    if (group === wanted[next]) {
      parts.from(at);
      parts.until(end);
      next++;
    }
    at = end;
  }
}

const NONE = new Uint32Array(0);

/** Joins what lies side by side. */
class Parts {
  readonly bounds: number[] = [];
  #from = 0;

  from(offset: number): void {
    this.#from = offset;
  }

  until(offset: number): void {
    if (offset <= this.#from) return;
    if (this.bounds.length > 0 && this.bounds.at(-1) === this.#from) this.bounds.pop();
    else this.bounds.push(this.#from);
    this.bounds.push(offset);
  }
}
