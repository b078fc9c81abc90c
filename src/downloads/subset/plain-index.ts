import type { RowPlaces } from '../content/row-places.ts';
import type { KeyIndex, RowFacts } from './key-index.ts';
import type { GatheredIndex } from './key-index-builder.ts';
import { RowBits } from './row-bits.ts';
import { type PlainReferences, RowReferences } from './row-references.ts';

/** An index, or a part of one, as it goes from thread to thread, where objects lose their classes. */
export interface PlainIndex {
  keys?: { tables: KeyIndex['tables']; references: readonly PlainReferences[]; places?: RowPlaces };
  facts?: { marks: RowFacts['marks']; roots: readonly PlainRoot[] };
}

interface PlainRoot {
  chosen?: { bytes: Uint8Array<SharedArrayBuffer>; rows: number };
  sorting?: Float64Array;
}

/** @returns `moved`: memory that goes to the other thread with it, and is gone here */
export function plainIndex({ keys, facts }: GatheredIndex): { index: PlainIndex; moved: ArrayBuffer[] } {
  const roots = facts?.roots.map(({ chosen, sorting }) => ({
    ...(chosen === undefined ? {} : { chosen: { bytes: chosen.bytes, rows: chosen.rows } }),
    ...(sorting === undefined ? {} : { sorting }),
  }));
  const arrays = [
    ...(keys?.references.flatMap(({ plain: { widths, lows, bytes } }) => [widths, lows, bytes]) ?? []),
    ...(keys?.places?.tables.map(({ groups }) => groups) ?? []),
    ...(facts?.marks ?? []),
    ...(facts?.roots.map(({ sorting }) => sorting) ?? []),
  ];
  const index = {
    ...(keys === undefined ? {} : { keys: { ...keys, references: keys.references.map(({ plain }) => plain) } }),
    ...(facts === undefined || roots === undefined ? {} : { facts: { marks: facts.marks, roots } }),
  };
  return { index, moved: arrays.flatMap((array) => array?.buffer ?? []) as ArrayBuffer[] };
}

export function wholeIndex({ keys, facts }: PlainIndex): GatheredIndex {
  return {
    ...(keys === undefined
      ? {}
      : { keys: { ...keys, references: keys.references.map((plain) => new RowReferences(plain)) } }),
    ...(facts === undefined
      ? {}
      : {
          facts: {
            marks: facts.marks,
            roots: facts.roots.map(({ chosen, sorting }) => ({
              ...(chosen === undefined ? {} : { chosen: new RowBits(chosen.rows, chosen.bytes) }),
              ...(sorting === undefined ? {} : { sorting }),
            })),
          },
        }),
  };
}
