import type { CanaryProbe } from './canary-probe.ts';
import { RowFault } from './row-fault.ts';
import type { TableSelection } from './row-selection.ts';
import { type SeededColumn, WatchedSeededColumn } from './seeded-column.ts';

/** Masks the rows of one table (`RowMasker`). */
export interface ValueMasker {
  readonly changed: readonly number[];
  readonly needed: readonly number[];
  /** False for a row that is given as it is. */
  mask(values: (string | null)[]): boolean;
}

/** Masks some columns by whole blocks of rows, and the others row by row. */
export interface SplitMasker {
  seeded: readonly SeededColumn[];
  others: ValueMasker;
}

export interface TableMaskerOptions {
  /** In the order of the fields of each row. */
  columns: readonly string[];
  values: ValueMasker;
  /** Of the same columns, but for those that are excluded; `allowsQuotes` as `seededColumns` has it. */
  split?: (excluded: ReadonlySet<number>, allowsQuotes: boolean) => SplitMasker;
  selection: TableSelection | undefined;
  probe?: CanaryProbe;
  /** Whether the probe is told what rows become. */
  watches?: boolean;
}

/** What is done to each row of one table, however it is written: whether it is given, and what its fields become. */
export class TableMasker {
  /** Indexes of the columns that `mask` may change, in ascending order. */
  readonly changed: readonly number[];
  /** Indexes of the columns whose values `mask` must be given, in ascending order; holds `changed`. */
  readonly needed: readonly number[];
  readonly #values: ValueMasker;
  readonly #kept: Uint8Array | undefined;
  readonly #rows: number;
  readonly #cuts: readonly { columns: readonly number[]; rows: Uint8Array }[];
  readonly #probe: CanaryProbe | undefined;
  readonly #traceable: readonly number[];
  readonly #watched: readonly number[];
  readonly #options: TableMaskerOptions;
  /** Of the row at hand. */
  readonly #originals: (string | null)[];
  readonly #numbering: Numbering;

  /**
   * @param seeded indexes of columns that are masked elsewhere
   * @param numbering of the table that this one is split from
   */
  constructor(options: TableMaskerOptions, seeded: ReadonlySet<number> = new Set(), numbering: Numbering = {}) {
    const { columns, values, selection, probe, watches = false } = options;
    const isHere = (column: number) => !seeded.has(column);
    this.#options = options;
    this.#numbering = numbering;
    this.#values = values;
    this.#kept = selection?.kept;
    this.#rows = selection?.rows ?? Number.POSITIVE_INFINITY;
    this.#cuts = (selection?.cut ?? []).map((cut) => ({
      rows: cut.rows,
      columns: cut.columns.map((column) => indexOf(columns, column)),
    }));
    this.#probe = probe;
    this.#traceable = (probe?.traceable ?? []).filter(isHere);
    this.#watched = watches ? (probe?.watched ?? []).filter(isHere) : [];
    this.#originals = this.#traceable.map(() => null);
    this.changed = ascending([...values.changed, ...this.#cuts.flatMap((cut) => cut.columns)]);
    this.needed = ascending([...values.needed, ...this.changed, ...this.#traceable, ...this.#watched]);
  }

  /**
   * For formats that can mask whole columns of a block: those where that can be done, and what masks the others, row by row and first.
   * @param allowsQuotes whether quotes stand as they are in the notation of the rows
   */
  split(allowsQuotes = false): { seeded: readonly (SeededColumn | WatchedSeededColumn)[]; others: TableMasker } {
    const { split, probe, watches = false } = this.#options;
    if (split === undefined) return { seeded: [], others: this };
    const { seeded, others } = split(new Set(this.#cuts.flatMap((cut) => cut.columns)), allowsQuotes);
    return {
      seeded: probe === undefined ? seeded : seeded.map((column) => new WatchedSeededColumn(column, probe, watches)),
      others: new TableMasker(
        { ...this.#options, values: others },
        new Set(seeded.map(({ index }) => index)),
        this.#numbering,
      ),
    };
  }

  /** For formats whose values are not columns, and which tell it themselves. */
  get probe(): CanaryProbe | undefined {
    return this.#probe;
  }

  /** The ordinals of the rows to come, where these are not one after the other: from now on they are named by their places in this list. */
  goesBy(ordinals: Int32Array): void {
    this.#numbering.ordinals = ordinals;
  }

  /** True where rows are chosen by their ordinals. */
  get selects(): boolean {
    return this.#kept !== undefined;
  }

  /** @throws RowFault where the content has more rows than the selection was made of */
  isKept(number: number): boolean {
    if (this.#kept === undefined) return true;
    const ordinal = this.#numbering.ordinals?.[number] ?? number;
    if (ordinal >= this.#rows) throw new RowFault(0, 'the content has more rows of it than the selection was made of');
    return ((this.#kept[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0;
  }

  /**
   * Replaces the values of `changed`.
   * @param values by the index of the column; those of `needed` are filled, in Unicode, without the content's escapes
   * @returns false for a row that no rule changes (`unless`)
   */
  mask(values: (string | null)[], number: number): boolean {
    const ordinal = this.#numbering.ordinals?.[number] ?? number;
    const probe = this.#probe;
    const originals = this.#originals;
    for (let at = 0; at < originals.length; at++) originals[at] = values[this.#traceable[at] as number] ?? null;
    const isMasked = this.#values.mask(values);
    for (const { columns, rows } of this.#cuts)
      if (((rows[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0) for (const column of columns) values[column] = null;
    if (!isMasked || probe === undefined) return isMasked;
    for (const original of originals) if (original !== null) probe.original(original);
    for (const column of this.#watched) {
      const output = values[column] ?? null;
      if (output !== null) probe.output(output, column);
    }
    return true;
  }
}

/** How rows are named: by their ordinals, or by their places in this list of ordinals. One for a table and what it was split into. */
interface Numbering {
  ordinals?: Int32Array;
}

function indexOf(columns: readonly string[], column: string): number {
  const index = columns.indexOf(column);
  if (index < 0) throw new Error('a column is cut that the rows have not');
  return index;
}

function ascending(indexes: readonly number[]): number[] {
  return [...new Set(indexes)].sort((one, other) => one - other);
}
