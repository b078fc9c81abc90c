import type { KeyIndex } from './key-index.ts';
import { RowBits } from './row-bits.ts';

/** An index as it goes from thread to thread, where objects lose their classes. */
export type PlainKeyIndex = Omit<KeyIndex, 'roots'> & { roots: readonly PlainRoot[] };

interface PlainRoot {
  chosen?: { bytes: Uint8Array<SharedArrayBuffer>; rows: number };
  sorting?: Float64Array;
}

/** @returns `moved`: memory that goes to the other thread with it, and is gone here */
export function plainKeyIndex({ tables, references, places, roots }: KeyIndex): {
  index: PlainKeyIndex;
  moved: ArrayBuffer[];
} {
  const plain = roots.map(({ chosen, sorting }) => ({
    ...(chosen === undefined ? {} : { chosen: { bytes: chosen.bytes, rows: chosen.rows } }),
    ...(sorting === undefined ? {} : { sorting }),
  }));
  const arrays = [...references, ...places, ...roots.map(({ sorting }) => sorting)];
  const moved = arrays.flatMap((array) => array?.buffer ?? []) as ArrayBuffer[];
  return { index: { tables, references, places, roots: plain }, moved };
}

export function wholeKeyIndex({ roots, ...index }: PlainKeyIndex): KeyIndex {
  return {
    ...index,
    roots: roots.map(({ chosen, sorting }) => ({
      ...(chosen === undefined ? {} : { chosen: new RowBits(chosen.rows, chosen.bytes) }),
      ...(sorting === undefined ? {} : { sorting }),
    })),
  };
}
