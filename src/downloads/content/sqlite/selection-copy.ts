import type { RowSelection } from '../../masking/row-selection.ts';

/** A selection of rows as it goes to another process, which shares no memory. */
export type SelectionCopy = readonly {
  table: string;
  rows: number;
  kept: Uint8Array;
  cut: readonly { columns: readonly string[]; rows: Uint8Array }[];
}[];

export function copyOfSelection({ tables }: RowSelection): SelectionCopy {
  return Object.entries(tables).map(([table, { rows, kept, cut }]) => ({
    table,
    rows,
    kept: new Uint8Array(kept),
    cut: cut.map((each) => ({ columns: each.columns, rows: new Uint8Array(each.rows) })),
  }));
}

export function selectionOf(copy: SelectionCopy): RowSelection {
  const tables = copy.map(({ table, rows, kept, cut }) => {
    const cuts = cut.map((each) => ({ columns: each.columns, rows: shared(each.rows) }));
    return [table, { rows, kept: shared(kept), cut: cuts }] as const;
  });
  return { tables: Object.fromEntries(tables) };
}

function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
