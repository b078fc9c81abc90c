import { z } from 'zod';
import { ROWS_OF_GROUP, type RowPlaces, type TablePlaces } from '../content/row-places.ts';
import type { KeyIndex, RootFacts, RowFacts } from './key-index.ts';
import { RowBits } from './row-bits.ts';
import { blocksOf, RowReferences } from './row-references.ts';
import { type ArrayReader, arrayBytes, readArrays, type StoredArray } from './stored-arrays.ts';

/** Raise it where the layout of an index, or what it is made of, changes. What has another version is not read, and made again. */
export const INDEX_VERSION = 5;

export function keyIndexBytes({ tables, references, places }: KeyIndex): AsyncGenerator<Uint8Array> {
  const header: z.input<typeof keysSchema> = {
    version: INDEX_VERSION,
    tables: tables.map((runs) => runs.map(({ member, from, first, rows }) => ({ member, from, first, rows }))),
    references: references.map(({ plain: { rows, bytes } }) => ({ rows, bytes: bytes.length })),
    ...(places === undefined ? {} : { places: placesHeader(places) }),
  };
  return arrayBytes(header, [
    ...references.flatMap(({ plain: { widths, lows, bytes } }) => [widths, lows, bytes]),
    ...(places?.tables.flatMap(({ groups }) => groups ?? []) ?? []),
  ]);
}

/** @throws HoldfastError `key-index-damaged` (damaged): it can be made again from the content */
export function readKeyIndex(bytes: AsyncIterable<Uint8Array>): Promise<KeyIndex> {
  return readArrays(bytes, async (header, arrays) => {
    const { tables, references: lengths, places } = keysSchema.parse(header);
    const references: RowReferences[] = [];
    for (const { rows, bytes } of lengths) {
      const blocks = blocksOf(rows);
      const plain = {
        rows,
        widths: new Uint8Array(await arrays.memory(blocks)),
        lows: new Int32Array(await arrays.memory(blocks * 4)),
        bytes: new Uint8Array(await arrays.memory(bytes)),
      };
      references.push(new RowReferences(plain));
    }
    return { tables, references, ...(places === undefined ? {} : { places: await placesOf(places, arrays) }) };
  });
}

export function rowFactsBytes({ marks, roots }: RowFacts): AsyncGenerator<Uint8Array> {
  const arrays: StoredArray[] = [];
  const add = (array: StoredArray | undefined): number => {
    if (array === undefined) return NONE;
    arrays.push(array);
    return array.length;
  };
  const header: z.input<typeof factsSchema> = {
    version: INDEX_VERSION,
    marks: marks.map(add),
    roots: roots.map(({ chosen, sorting }) => ({
      rows: chosen?.rows ?? NONE,
      chosen: add(chosen?.bytes),
      sorting: add(sorting),
    })),
  };
  return arrayBytes(header, arrays);
}

/** @throws HoldfastError `key-index-damaged` (damaged): they can be made again from the content */
export function readRowFacts(bytes: AsyncIterable<Uint8Array>): Promise<RowFacts> {
  return readArrays(bytes, async (header, arrays) => {
    const parsed = factsSchema.parse(header);
    const marks: (Uint32Array | undefined)[] = [];
    for (const length of parsed.marks)
      marks.push(length < 0 ? undefined : new Uint32Array(await arrays.memory(length * 4)));
    const roots: RootFacts[] = [];
    for (const root of parsed.roots) roots.push(await rootOf(root, arrays));
    return { marks, roots };
  });
}

/** Stands for the length of what is not there. */
const NONE = -1;
const count = z
  .number()
  .int()
  .min(NONE)
  .max(2 ** 32);

const bytes = z.number().int().min(0);

const placesSchema = z.strictObject({
  bytes,
  tables: z.array(
    z.strictObject({ table: z.string(), rows: count.min(0), from: bytes, to: bytes, isGrouped: z.boolean() }),
  ),
});

const keysSchema = z.strictObject({
  version: z.literal(INDEX_VERSION),
  tables: z.array(z.array(z.strictObject({ member: z.string(), from: count, first: count, rows: count }))),
  references: z.array(z.strictObject({ rows: count.min(0), bytes })),
  places: placesSchema.optional(),
});

const factsSchema = z.strictObject({
  version: z.literal(INDEX_VERSION),
  marks: z.array(count),
  roots: z.array(z.strictObject({ rows: count, chosen: count, sorting: count })),
});

function placesHeader({ bytes, tables }: RowPlaces): z.input<typeof placesSchema> {
  const headers = tables.map(({ groups, ...table }) => ({ ...table, isGrouped: groups !== undefined }));
  return { bytes, tables: headers };
}

async function placesOf({ bytes, tables }: z.output<typeof placesSchema>, arrays: ArrayReader): Promise<RowPlaces> {
  const read: TablePlaces[] = [];
  for (const { isGrouped, ...table } of tables) {
    const count = Math.ceil(table.rows / ROWS_OF_GROUP);
    read.push({ ...table, groups: isGrouped ? new Uint32Array(await arrays.memory(count * 4)) : undefined });
  }
  return { bytes, tables: read };
}

async function rootOf(
  { rows, chosen, sorting }: z.output<typeof factsSchema>['roots'][number],
  arrays: ArrayReader,
): Promise<RootFacts> {
  const found: RootFacts = {};
  if (rows >= 0) {
    const bits = new RowBits(rows);
    bits.bytes.set(new Uint8Array(await arrays.memory(chosen)));
    found.chosen = bits;
  }
  if (sorting >= 0) found.sorting = new Float64Array(await arrays.memory(sorting * 8));
  return found;
}
