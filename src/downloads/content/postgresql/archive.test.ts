import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { archiveInMemory } from '../../../../test/archive-in-memory.ts';
import { ShownRows } from '../../../../test/shown-rows.ts';
import { chunked, collected, maskingRun } from '../../../../test/variant-rig.ts';
import type { TableSelection } from '../../masking/row-selection.ts';
import { ROWS_OF_GROUP, type RowPlaces, type TablePlaces } from '../row-places.ts';
import type { ArchiveScan } from '../table-content.ts';
import { archiveHead } from './archive-head.ts';
import { scanArchive } from './archive-scanner.ts';
import { ArchiveSieve } from './archive-sieve.ts';
import { createPostgresqlContent } from './postgresql-content.ts';
import { LONGEST_ROW } from './row-blocks.ts';

const FIELD = fc.oneof(fc.integer().map(String), fc.constant('\\N'), fc.string({ unit: 'grapheme' }).map(escaped));
const ROWS = fc.array(fc.tuple(FIELD, FIELD, FIELD), { maxLength: 30 });
const SIZES = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 });

describe('an archive of pg_dump', () => {
  it('shows its rows as the SQL does that is made of it, wherever it is cut', async () => {
    const property = fc.asyncProperty(
      fc.array(ROWS, { minLength: 1, maxLength: 4 }),
      SIZES,
      fc.constantFrom(14, 15, 16),
      async (tables, sizes, minor) => {
        const shown = new ShownRows();
        const signal = new AbortController().signal;
        await scanArchive(chunked(archiveOf(tables, { minor }), ...sizes), shown, signal);
        const wanted = new ShownRows();
        await createPostgresqlContent().scan(chunked(sqlOf(tables), 1 << 16), wanted, signal);
        assert.deepEqual(shown, wanted);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  it('loses the rows that are not chosen, those of tables without rows and nothing else, wherever it is cut', async () => {
    const property = fc.asyncProperty(
      fc.array(ROWS, { minLength: 1, maxLength: 5 }),
      SIZES,
      fc.infiniteStream(fc.boolean()),
      async (tables, sizes, choices) => {
        const chosen = tables.map((rows) => rows.map(() => choices.next().value === true));
        const sieve = new ArchiveSieve(runOf(chosen));
        const sifted = await collected(sieve.sifted(archiveInMemory(archiveOf(tables), sizes)));
        const left = tables.map((rows, table) => rows.filter((_, row) => chosen[table]![row] && table !== STRUCTURE));
        assert.ok(sifted.equals(archiveOf(left)));
        for (const [table, rows] of tables.entries()) assert.equal(sieve.rows(`public.t${table}`), rows.length);
        assert.equal(sieve.rows('public.other'), undefined);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  it('is read only where chosen rows stand, once it is known where rows are, and loses the same rows', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.array(fc.tuple(FIELD, FIELD, FIELD), { maxLength: 150, size: 'max' }), {
        minLength: 1,
        maxLength: 6,
      }),
      SIZES,
      fc.constantFrom(0, 0.02, 0.1, 1),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      async (tables, sizes, share, choices) => {
        const chosen = tables.map((rows) => rows.map(() => choices.next().value! < share));
        const archive = archiveOf(tables);
        const sieve = new ArchiveSieve(runOf(chosen), await placesOf(archive));
        const read: number[] = [];
        const sifted = await collected(sieve.sifted(archiveInMemory(archive, sizes, read)));
        const left = tables.map((rows, table) => rows.filter((_, row) => chosen[table]![row] && table !== STRUCTURE));
        assert.ok(sifted.equals(archiveOf(left)));
        for (const [table, rows] of tables.entries()) assert.equal(sieve.rows(`public.t${table}`), rows.length);
        const near = tables.map((rows, table) =>
          rows.filter((_, row) => {
            const group = row - (row % ROWS_OF_GROUP);
            return table !== STRUCTURE && chosen[table]!.slice(group, group + ROWS_OF_GROUP).includes(true);
          }),
        );
        assert.deepEqual(read, [archiveOf(near).length]);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  it('is refused where its rows do not stand where they are said to', async () => {
    const rows = Array.from({ length: 100 }, (_, row) => [String(row), 'x', 'y']);
    const chosen = [rows.map((_, row) => row === 50), rows.map((_, row) => row === 99)];
    const archive = archiveOf([rows, rows]);
    const places = await placesOf(archive);
    const sifting = (changed: RowPlaces, bytes = archive) =>
      collected(new ArchiveSieve(runOf(chosen), changed).sifted(archiveInMemory(bytes, [1000])));
    assert.ok((await sifting(places)).equals(archiveOf([[rows[50]!], [rows[99]!]])));
    const table = (change: (table: TablePlaces) => Partial<TablePlaces>): RowPlaces => ({
      ...places,
      tables: places.tables.map((each) => ({ ...each, ...change(each) })),
    });
    const shorter = rows.with(60, ['60', 'x', 'yz']);
    for (const [changed, bytes] of [
      [places, archiveOf([shorter, rows])],
      [places, archiveOf([rows.with(49, ['49', '', 'y']).with(50, ['50', 'xx', 'y']), rows.slice(1)])],
      [{ ...places, bytes: places.bytes - 1 }, archive],
      [{ ...places, tables: places.tables.slice(0, 1) }, archive],
      [{ ...places, tables: places.tables.toReversed() }, archive],
      [table(() => ({ table: 'public.t0' })), archive],
      [table(({ rows }) => ({ rows: rows + 1, groups: undefined })), archive],
      [table(({ groups }) => ({ groups: groups!.map((bytes, group) => bytes + (group === 3 ? 1 : 0)) })), archive],
      [table(({ from }) => ({ from: from + 11 })), archive],
    ] as const)
      await assert.rejects(sifting(changed, bytes), { code: 'archive-not-understood' });
  });

  it('is given as it is where its form is not known', async () => {
    const tables = [[['1', '2', '3']]] as const;
    const compressed = Buffer.from(archiveOf(tables));
    compressed[HEADER + 1] = 6;
    const strange = [
      archiveOf(tables, { minor: 13 }),
      archiveOf(tables, { minor: 17 }),
      archiveOf(tables, { version: '19.1' }),
      archiveOf(tables, { encoding: 'LATIN1' }),
      archiveOf(tables, { name: 't0' }),
      archiveOf(tables).subarray(0, 200),
      compressed,
      Buffer.from('PGDMP'),
      Buffer.alloc(0),
    ];
    for (const bytes of strange) {
      const sieve = new ArchiveSieve(runOf([[false]]));
      assert.ok((await collected(sieve.sifted(archiveInMemory(bytes, [50])))).equals(bytes));
      assert.equal(sieve.rows('public.t0'), undefined);
      const scanning = scanArchive(chunked(bytes, 50), new ShownRows(), new AbortController().signal);
      await assert.rejects(scanning, { code: 'archive-not-understood' });
    }
    assert.equal(archiveHead(archiveOf(tables).subarray(0, 200)), 'more');
  });

  it('is refused where its blocks are not those of one row each, or it is cut', async () => {
    const tables = [[['1', '2', '3']], []] as const;
    const whole = archiveOf(tables);
    const { length } = archiveHead(whole) as { length: number };
    const data = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(whole);
      change(bytes.subarray(length));
      return bytes;
    };
    const strange = [
      data((bytes) => bytes.writeUInt8(9, 0)),
      data((bytes) => bytes.writeUInt8('x'.charCodeAt(0), 16)),
      data((bytes) => bytes.writeUInt8(1, 6)),
      Buffer.concat([whole.subarray(0, length), block(1, [])]),
      Buffer.concat([whole.subarray(0, length), block(1, ['1\t2\t3\n\\.\n\n\n'])]),
      whole.subarray(0, -1),
      whole.subarray(0, length + 10),
    ];
    for (const bytes of strange)
      for (const size of [7, 1 << 20]) {
        const sieve = new ArchiveSieve(runOf([[true], []]));
        await assert.rejects(collected(sieve.sifted(archiveInMemory(bytes, [size]))), {
          code: 'archive-not-understood',
        });
        const scanning = scanArchive(chunked(bytes, size), new ShownRows(), new AbortController().signal);
        await assert.rejects(scanning, { code: 'archive-not-understood' });
      }
  });

  it('is refused where a row is no UTF-8, has fewer fields than its table or ends behind a backslash, unless nothing of its table is wanted', async () => {
    const faults = [
      { row: ['1', 'a\xff', ''], message: /UTF-8/ },
      { row: ['1', 'a\0', ''], message: /NUL/ },
      { row: ['1', '2', 'a\\'], message: /behind a backslash/ },
      { row: ['1', '2\r', 'a'], message: /carriage return/ },
    ];
    for (const { row, message } of faults)
      for (const size of [11, 1 << 20]) {
        const bytes = archiveOf([[['1', '2', '3'], row]], { encodes: 'latin1' });
        const scanning = scanArchive(chunked(bytes, size), new ShownRows([]), new AbortController().signal);
        await assert.rejects(scanning, { code: 'variant-failed', message });
        const counts: [string, number][] = [];
        const counting = {
          ...{ begin: () => undefined, fields: () => assert.fail(), row: () => assert.fail() },
          end: (table: string, rows: number) => void counts.push([table, rows]),
        };
        await scanArchive(chunked(bytes, size), counting, new AbortController().signal);
        assert.deepEqual(counts, [['public.t0', 2]]);
      }
    const short = scanArchive(chunked(archiveOf([[['1']]]), 50), new ShownRows(), new AbortController().signal);
    await assert.rejects(short, { code: 'variant-failed', message: /fewer fields/ });
  });

  it('steps over rows that are too long to be held where none of their table are wanted, and is refused elsewhere', async () => {
    const row = ['1', '2', 'x'.repeat(LONGEST_ROW)];
    const whole = archiveOf([[], [], [], [], [['4', '5', '6'], row, ['7', '8', '9']]]);
    const sieve = new ArchiveSieve(runOf([[], [], [], [], [true, true, true]]));
    const left = await collected(sieve.sifted(archiveInMemory(whole, [100_003])));
    assert.ok(left.equals(archiveOf([[], [], [], [], []])));
    assert.equal(sieve.rows(`public.t${STRUCTURE}`), 3);
    const counts = new Map<string, number>();
    let places: RowPlaces | undefined;
    const counting = {
      ...{ begin: () => undefined, fields: () => assert.fail(), row: () => assert.fail() },
      end: (table: string, rows: number) => void counts.set(table, rows),
      places: (found: RowPlaces) => {
        places = found;
      },
    };
    await scanArchive(chunked(whole, 100_003), counting, new AbortController().signal);
    assert.equal(counts.get(`public.t${STRUCTURE}`), 3);
    assert.deepEqual(places?.tables.at(-1)?.groups, undefined);
    const placed = new ArchiveSieve(runOf([[], [], [], [], [true, true, true]]), places);
    assert.ok((await collected(placed.sifted(archiveInMemory(whole, [100_003])))).equals(left));
    assert.equal(placed.rows(`public.t${STRUCTURE}`), 3);
    const wanted = archiveOf([[row]]);
    const signal = new AbortController().signal;
    for (const reading of [
      collected(new ArchiveSieve(runOf([[false]])).sifted(archiveInMemory(wanted, [100_003]))),
      scanArchive(chunked(wanted, 100_003), new ShownRows(), signal),
    ])
      await assert.rejects(reading, { code: 'variant-failed', message: /more than 64 MiB/ });
    const cut = chunked(whole.subarray(0, -LONGEST_ROW / 2), 100_003);
    await assert.rejects(scanArchive(cut, counting, signal), { code: 'archive-not-understood' });
  });
});

const COLUMNS = ['a', 'b', 'c'];
/** The table of which the plan wants no rows. */
const STRUCTURE = 4;
/** Bytes up to what says the compression. */
const HEADER = 11;

async function placesOf(archive: Buffer): Promise<RowPlaces> {
  let places: RowPlaces | undefined;
  const scan: ArchiveScan = Object.assign(new ShownRows(), {
    places: (found: RowPlaces) => {
      places = found;
    },
  });
  await scanArchive(chunked(archive, 1 << 16), scan, new AbortController().signal);
  return places!;
}

function runOf(chosen: readonly (readonly boolean[])[]) {
  const plans = chosen.map((_, table) => ({
    table: `public.t${table}`,
    fate: table === STRUCTURE ? ('structure' as const) : ('rows' as const),
    columns: [],
  }));
  const selections = chosen.map((rows, table) => [`public.t${table}`, selectionOf(rows)] as const);
  return maskingRun(plans, { selection: { tables: Object.fromEntries(selections) } });
}

function selectionOf(chosen: readonly boolean[]): TableSelection {
  const kept = new Uint8Array(new SharedArrayBuffer(Math.ceil(chosen.length / 8)));
  for (const [row, isChosen] of chosen.entries()) if (isChosen) kept[row >> 3] = kept[row >> 3]! | (1 << (row & 7));
  return { rows: chosen.length, kept, cut: [] };
}

type Tables = readonly (readonly (readonly string[])[])[];

function sqlOf(tables: Tables): Buffer {
  const copies = tables.map(
    (rows, table) =>
      `COPY public.t${table} (${COLUMNS.join(', ')}) FROM stdin;\n${rows.map((row) => `${row.join('\t')}\n`).join('')}\\.\n\n\n`,
  );
  return Buffer.from(copies.join(''));
}

/** As pg_dump of versions 12 to 15 (14), 16 (15), 17 and 18 (16) writes it into a pipe. */
function archiveOf(
  tables: Tables,
  options: { minor?: number; version?: string; encoding?: string; name?: string; encodes?: BufferEncoding } = {},
): Buffer {
  const { minor = 14, version = '15.18 (Debian 15.18-1)', encoding = 'UTF8', name, encodes = 'utf8' } = options;
  const entry = (id: number, kind: string, definition: string, copy: string | undefined) => [
    ...[integer(id), integer(copy === undefined ? 0 : 1), text('0'), text('0'), text('tag'), text(kind), integer(3)],
    ...[text(definition), text(''), text(copy), text('public'), text(''), text('heap')],
    ...(minor >= 16 ? [integer(0)] : []),
    ...[text('owner'), text('false'), text('7'), text(undefined), Buffer.from([1]), Buffer.alloc(8)],
  ];
  return Buffer.concat([
    ...[Buffer.from('PGDMP'), Buffer.from([1, minor, 0, 4, 8, 1]), minor >= 15 ? Buffer.from([0]) : integer(0)],
    ...Array.from({ length: 7 }, () => integer(1)),
    ...[text('shop'), text('15.18'), text(version), integer(tables.length + 1)],
    ...entry(1000, 'ENCODING', `SET client_encoding = '${encoding}';\n`, undefined),
    ...tables.flatMap((_, table) =>
      entry(table + 1, 'TABLE DATA', '', `COPY ${name ?? `public.t${table}`} (${COLUMNS.join(', ')}) FROM stdin;\n`),
    ),
    ...tables.flatMap((rows, table) => [
      block(table + 1, [...rows.map((row) => `${row.join('\t')}\n`), '\\.\n\n\n'], encodes),
      largeObject(table),
    ]),
  ]);
}

function block(id: number, chunks: readonly string[], encodes: BufferEncoding = 'utf8'): Buffer {
  const parts = chunks.map((chunk) => Buffer.from(chunk, encodes));
  return Buffer.concat([
    Buffer.from([1]),
    integer(id),
    ...parts.flatMap((part) => [integer(part.length), part]),
    integer(0),
  ]);
}

function largeObject(number: number): Buffer {
  const part = Buffer.from('\\.\n\n\n\0\x01 what is in it');
  const object = (oid: number) => [integer(oid), integer(part.length), part, integer(part.length), part, integer(0)];
  return Buffer.concat([Buffer.from([3]), integer(500 + number), ...object(7), ...object(4_000_000_000), integer(0)]);
}

function text(value: string | undefined): Buffer {
  if (value === undefined) return integer(-1);
  return Buffer.concat([integer(Buffer.byteLength(value)), Buffer.from(value)]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function escaped(value: string): string {
  const letters: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
  return value.replaceAll('\0', '').replaceAll(/[\\\t\n\r]/g, (character) => letters[character]!);
}
