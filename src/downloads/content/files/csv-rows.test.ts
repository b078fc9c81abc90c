import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { chunked, collected } from '../../../../test/variant-rig.ts';
import { RowFault } from '../../masking/row-fault.ts';
import type { RowFormat } from '../../masking/row-format.ts';
import { TableMasker, type ValueMasker } from '../../masking/table-masker.ts';
import { createCsvRows } from './csv-rows.ts';
import { type CsvSyntax, csvField } from './csv-syntax.ts';
import { recordBlocks } from './record-blocks.ts';

const COMMA: CsvSyntax = { delimiter: ',', quote: '"' };
const SYNTAXES: CsvSyntax[] = [
  COMMA,
  { delimiter: '\t', quote: '"' },
  { delimiter: ';', quote: "'" },
  { delimiter: '¦', quote: '"' },
];
const CELL = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ unit: fc.constantFrom('"', "'", ',', ';', '\t', '¦', '\n', '\r\n', '\r', 'x', 'é', '\0'), maxLength: 6 }),
  fc.string({ unit: 'binary', maxLength: 4 }).map((text) => text.toWellFormed()),
);
const TABLE = fc.integer({ min: 1, max: 4 }).chain((width) =>
  fc.array(
    fc.record({
      cells: fc.array(fc.record({ value: CELL, isQuoted: fc.boolean() }), { minLength: width, maxLength: width }),
      lineEnd: fc.constantFrom('\n', '\r\n'),
    }),
    { minLength: 1, maxLength: 8 },
  ),
);

describe('rows of CSV', () => {
  it('that nothing changes come through byte for byte, however they are quoted and cut', async () => {
    await fc.assert(
      fc.asyncProperty(TABLE, fc.constantFrom(...SYNTAXES), fc.boolean(), async (rows, syntax, endsWithBreak) => {
        const text = written(rows, syntax, endsWithBreak);
        const width = rows[0]?.cells.length ?? 0;
        const everything = Array.from({ length: width }, (_, column) => column);
        const bytes = Buffer.from(text, 'latin1');
        const unchanged = changing(everything, (value) => value);
        assert.ok(masked(bytes, syntax, width, unchanged).bytes.equals(bytes));
        assert.ok((await maskedInBlocks(bytes, syntax, width, unchanged)).equals(bytes));
      }),
    );
  });

  it('change in the columns that are masked alone, in whatever pieces they come', async () => {
    await fc.assert(
      fc.asyncProperty(TABLE, fc.constantFrom(...SYNTAXES), CELL, async (rows, syntax, mark) => {
        const [text, width] = [written(rows, syntax, true), rows[0]?.cells.length ?? 0];
        const change = (value: string) => `x${mark}${value}`;
        const { bytes, rowsIn } = masked(Buffer.from(text, 'latin1'), syntax, width, changing([0], change));
        const inBlocks = await maskedInBlocks(Buffer.from(text, 'latin1'), syntax, width, changing([0], change));
        assert.ok(inBlocks.equals(bytes));
        const values = rows.map(({ cells: [first, ...others] }) => [
          change(first?.value ?? ''),
          ...others.map(({ value }) => value),
        ]);
        assert.deepEqual(cellsOf(bytes, syntax), values);
        assert.equal(rowsIn, rows.length);
        for (const { cells } of rows.filter((row) => row.cells.length > 1))
          assert.ok(bytes.includes(Buffer.from(fieldOf(cells.at(-1), syntax), 'latin1')));
      }),
    );
  });

  it('are read as another reader reads them, or not at all', async () => {
    const hostile = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'x', ' ', '"', 'é'), maxLength: 30 });
    let read = 0;
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        const seen: string[][] = [];
        const values: ValueMasker = {
          changed: [0, 1],
          needed: [0, 1],
          mask: (row) => seen.push(row.map((value) => value ?? '')) > 0,
        };
        try {
          masked(Buffer.from(text), COMMA, 2, values);
        } catch (error) {
          assert.ok(error instanceof RowFault, String(error));
          return;
        }
        assert.deepEqual(seen, cellsOf(Buffer.from(text), COMMA));
        if (seen.length > 0) read++;
      }),
      { numRuns: 3000 },
    );
    assert.ok(read > 20, `${read} were read`);
  });

  it('hold each byte that UTF-8 may', async () => {
    const text = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code)).join('');
    const line = Buffer.from(`${csvField(text, COMMA, true)},SECRET\n`, 'latin1');
    const { bytes } = masked(
      line,
      COMMA,
      2,
      changing([1], () => 'm'),
    );
    assert.deepEqual(cellsOf(bytes, COMMA), [[text, 'm']]);
  });

  it('have an empty field where a rule gives NULL, and no empty line for a row', async () => {
    const gone = { changed: [0], needed: [0], mask: (row: (string | null)[]) => row.splice(0, 1, null).length > 0 };
    assert.equal(masked('a,"b"\r\n,\n', COMMA, 2, gone).bytes.toString(), ',"b"\r\n,\n');
    assert.equal(masked('a\n\n', COMMA, 1, gone).bytes.toString(), '""\n""\n');
  });

  it('leave empty lines alone, which are no rows of several columns', async () => {
    const { bytes, rowsIn } = masked(
      '\na,b\n\r\n',
      COMMA,
      2,
      changing([0], () => 'm'),
    );
    assert.deepEqual([bytes.toString(), rowsIn], ['\nm,b\n\r\n', 1]);
  });

  it('never begin a field as a formula where there was none', async () => {
    for (const value of ['=cmd()', '+SUM(1)', '-x', '@import', '\t=1', '\r=1'])
      assert.throws(
        () =>
          masked(
            'a,b\n',
            COMMA,
            2,
            changing([0], () => value),
          ),
        { what: /"c0" gave what spreadsheets/ },
      );
    for (const value of ['-5', '+49 (0) 30-12', '-1.5e-3', 'a=b'])
      assert.ok(
        masked(
          'a,b\n',
          COMMA,
          2,
          changing([0], () => value),
        ).bytes.includes(value),
      );
    assert.equal(
      masked(
        '=a(),b\n',
        COMMA,
        2,
        changing([0], () => '=b()'),
      ).bytes.toString(),
      '=b(),b\n',
    );
  });

  const faults: [string, string | Buffer, RegExp | undefined][] = [
    ['a field too many', 'a,b\nc,d,SECRET\n', /3 fields where there are 2/],
    ['a field too few', 'a,b\nSECRET\n', /1 fields/],
    ['a quote within a field', 'a,b\na,SEC"RET\n', /a quote within a field/],
    ['a quote that is not closed', 'a,b\na,"SECRET\n', /none behind it/],
    ['text behind a quote', 'a,b\na,"SEC"RET\n', /between the quote/],
    ['a lone carriage return', 'a,b\rc,SECRET\n', /carriage return/],
    ['other encodings', Buffer.from('a,b\nx,SECR\xe9T\n', 'latin1'), /UTF-8/],
  ];
  for (const [what, text, message] of faults)
    it(`fail at ${what}, of which nothing is told`, async () => {
      assert.throws(
        () =>
          masked(
            text,
            COMMA,
            2,
            changing([1], () => 'm'),
          ),
        (error: RowFault) => {
          assert.match(error.what ?? '', message ?? /./);
          assert.doesNotMatch(error.what ?? '', /SEC|RET/);
          return true;
        },
      );
    });
});

describe('blocks of CSV', () => {
  it('end where a record does, however the bytes come', async () => {
    const record = `1,"${'x'.repeat(100_000)}\n""\n",b\n`;
    const bytes = Buffer.from(record.repeat(9));
    for (const size of [1000, 65_536, 300_001, bytes.length]) {
      const blocks: Buffer[] = [];
      for await (const block of recordBlocks(chunked(bytes, size), 0x22)) {
        assert.equal(block.length % record.length, 0);
        blocks.push(Buffer.from(block));
      }
      assert.ok(Buffer.concat(blocks).equals(bytes));
    }
  });

  it('fail where a quote is never closed, before all of the file is in memory', async () => {
    let given = 0;
    const endless = (async function* () {
      yield Buffer.from('a,"');
      for (; given < 200; given++) yield Buffer.alloc(1 << 20, 'x');
    })();
    await assert.rejects(collected(recordBlocks(endless, 0x22)), { code: 'variant-failed' });
    assert.ok(given < 70);
  });
});

type Rows = readonly { cells: readonly Cell[]; lineEnd: string }[];
type Cell = { value: string; isQuoted: boolean };

/** One character for each byte. */
function written(rows: Rows, syntax: CsvSyntax, endsWithBreak: boolean): string {
  const delimiter = Buffer.from(syntax.delimiter).toString('latin1');
  return rows
    .map(({ cells, lineEnd }, row) => {
      // One empty field that is not in quotes is an empty line; the last one would be none at all.
      const line = cells.map((cell) => fieldOf(cell, syntax)).join(delimiter) || syntax.quote.repeat(2);
      return line + (row < rows.length - 1 || endsWithBreak ? lineEnd : '');
    })
    .join('');
}

function fieldOf(cell: Cell | undefined, syntax: CsvSyntax): string {
  return csvField(cell?.value ?? '', syntax, cell?.isQuoted ?? false);
}

function changing(columns: number[], change: (value: string) => string): ValueMasker {
  return {
    changed: columns,
    needed: columns,
    mask(row) {
      for (const column of columns) row[column] = change(row[column] ?? '');
      return true;
    },
  };
}

function masked(bytes: Buffer | string, syntax: CsvSyntax, width: number, values: ValueMasker) {
  const { bytes: output, rowsIn } = rowsOf(syntax, width, values).mask(Buffer.from(bytes), 0);
  return { bytes: Buffer.from(output), rowsIn };
}

async function maskedInBlocks(bytes: Buffer, syntax: CsvSyntax, width: number, values: ValueMasker): Promise<Buffer> {
  const rows = rowsOf(syntax, width, values);
  const parts: Uint8Array[] = [];
  for await (const block of recordBlocks(chunked(bytes, 1, 3), syntax.quote.charCodeAt(0), 5))
    parts.push(rows.mask(block, 0).bytes);
  return Buffer.concat(parts);
}

function rowsOf(syntax: CsvSyntax, width: number, values: ValueMasker): RowFormat {
  const columns = Array.from({ length: width }, (_, column) => `c${column}`);
  const table = new TableMasker({ columns, values, selection: undefined });
  return createCsvRows({ table: 't', columns, format: 'csv', options: { ...syntax } }, table);
}

function cellsOf(bytes: Buffer, { delimiter, quote }: CsvSyntax): string[][] {
  return parse(bytes, {
    delimiter,
    quote,
    escape: quote,
    record_delimiter: ['\n', '\r\n'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
}
