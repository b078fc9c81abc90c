import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createCanaryMemory } from '../canary/canary-filter.ts';
import { WatchingProbe } from '../canary/watching-probe.ts';
import type { RowFault } from '../masking/row-fault.ts';
import type { RowFormat, RowSource } from '../masking/row-format.ts';
import { RowMasker } from '../masking/row-masker.ts';
import { seededColumns } from '../masking/seeded-columns.ts';
import { type SplitMasker, TableMasker } from '../masking/table-masker.ts';
import { TRANSFORMERS } from '../masking/transformers.ts';
import type { ColumnPlan, TablePlan } from '../variant-plan.ts';
import { createMysqlInsertRows } from './mysql/insert-rows.ts';
import { chosenBlockBytes } from './postgresql/chosen-block.ts';
import { createChosenCopyRows } from './postgresql/chosen-copy-rows.ts';
import { createCopyRows } from './postgresql/copy-rows.ts';
import { copyField } from './postgresql/copy-text.ts';

const RULES: readonly (readonly [name: string, options?: Record<string, unknown>])[] = [
  ...['hash', 'token', 'uuid', 'email', 'username', 'url', 'name', 'first_name', 'last_name', 'company'].map(
    (name) => [name] as const,
  ),
  ...['street', 'city', 'country', 'user_agent', 'lorem'].map((name) => [name] as const),
  ['hash', { length: 7 }],
  ['token', { prefix: 'not \'plain"\\', length: 9 }],
  ['email', { domain: 'mail.example', length: 5 }],
  ['template', { text: '{c0}{$token}' }],
  ['redact'],
  ['keep'],
];
const KEY = Buffer.alloc(32, 3);
/** Of each eight rows. */
const KEPT = 0b1101_1011;
const isKept = (ordinal: number) => (KEPT & (1 << (ordinal & 7))) !== 0;

function planOf(rules: readonly number[], isNormalised: boolean): TablePlan {
  const columns = rules.map((rule, index): ColumnPlan => {
    const [transformer, options = {}] = RULES[rule]!;
    return {
      column: `c${index}`,
      family: 'text',
      type: 'text',
      isNullable: true,
      rule: {
        transformer,
        options: TRANSFORMERS.get(transformer)?.options.parse(options) ?? {},
        domain: transformer,
        normalise: isNormalised ? ['trim', 'lower'] : [],
      },
    };
  });
  return { table: 't', fate: 'rows', columns };
}

/** The same masking, with whole columns and without. */
function formatsOf(
  plan: TablePlan,
  make: (source: RowSource, table: TableMasker) => RowFormat,
  options: Record<string, unknown>,
) {
  const columns = plan.columns.map(({ column }) => column);
  const memory = createCanaryMemory(1000);
  const formats = [true, false].map((hasWhole) => {
    const own = hasWhole ? memory : { ...createCanaryMemory(1000), secret: memory.secret };
    const probe = new WatchingProbe(own, 'none', { plan, columns });
    probe.watches = true;
    const split = (excluded: ReadonlySet<number>, allowsQuotes: boolean): SplitMasker => {
      const seeded = seededColumns(plan, columns, KEY, excluded, allowsQuotes);
      const leftOut = new Set(seeded.map(({ index }) => index));
      return { seeded, others: new RowMasker(plan, columns, KEY, probe, leftOut) };
    };
    const table = new TableMasker({
      ...{ columns, values: new RowMasker(plan, columns, KEY, probe), probe, watches: true },
      selection: {
        rows: 1000,
        kept: new Uint8Array(new SharedArrayBuffer(125)).fill(KEPT),
        cut: [{ columns: ['c1'], rows: new Uint8Array(new SharedArrayBuffer(125)).fill(0b0100_0010) }],
      },
      ...(hasWhole && { split }),
    });
    const format = make({ table: 't', columns, format: '', options }, table);
    return { format, probe, memory: own };
  });
  return { whole: formats[0]!, single: formats[1]! };
}

const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    'Anna@Mail.example ',
    'DE',
    'deu',
    '中国',
    'N',
    '\\',
    '\\N',
    "O'Neil",
    'a"b',
    'İ',
    '\u00a0x',
    'x'.repeat(300),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', '').toWellFormed()),
);
const rows = fc
  .integer({ min: 2, max: 4 })
  .chain((width) =>
    fc.tuple(
      fc.array(fc.nat(RULES.length - 1), { minLength: width, maxLength: width }),
      fc.array(fc.array(fc.option(text, { freq: 6 }), { minLength: width, maxLength: width }), { maxLength: 12 }),
      fc.boolean(),
    ),
  )
  .filter(([rules]) => RULES[rules[0]!]![0] !== 'template');

describe('columns that are masked as a whole', () => {
  it('become what they become row by row, in the rows of COPY', () => {
    fc.assert(
      fc.property(rows, ([rules, values, isNormalised]) => {
        const block = Buffer.from(values.map((row) => `${row.map(copyField).join('\t')}\n`).join(''), 'latin1');
        requireSame(formatsOf(planOf(rules, isNormalised), createCopyRows, {}), block);
      }),
      { numRuns: 300 },
    );
  });

  it('become the same where the rows were chosen before they came', () => {
    fc.assert(
      fc.property(rows, fc.nat(9), ([rules, values, isNormalised], firstOrdinal) => {
        const lines = values.map((row) => `${row.map(copyField).join('\t')}\n`);
        const places = lines.map((_, place) => place).filter((place) => isKept(firstOrdinal + place));
        const chosen = chosenBlockBytes({
          span: lines.length,
          places: Int32Array.from(places),
          rows: Buffer.from(places.map((place) => lines[place]).join(''), 'latin1'),
        });
        const plan = planOf(rules, isNormalised);
        const all = formatsOf(plan, createCopyRows, {}).single.format;
        const expected = all.mask(Buffer.from(lines.join(''), 'latin1'), firstOrdinal);
        const { bytes, rowsIn, rowsOut } = formatsOf(plan, createChosenCopyRows, {}).whole.format.mask(
          Buffer.from(chosen.buffer),
          firstOrdinal,
        );
        assert.equal(Buffer.from(bytes).toString(), Buffer.from(expected.bytes).toString());
        assert.deepEqual([rowsIn, rowsOut], [expected.rowsIn, expected.rowsOut]);
      }),
      { numRuns: 200 },
    );
  });

  it('become what they become row by row, in the INSERTs of MySQL', () => {
    const literal = (value: string | null) =>
      value === null ? 'NULL' : `'${Buffer.from(value.replaceAll(/['\\]/g, '\\$&')).toString('latin1')}'`;
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 4 }), ([rules, values, isNormalised], each) => {
        const header = 'INSERT INTO `t` VALUES ';
        const statements: string[] = [];
        for (let from = 0; from < values.length; from += each) {
          const tuples = values.slice(from, from + each).map((row) => `(${row.map(literal).join(', ')})`);
          statements.push(`${header}${tuples.join(',')};\n`);
        }
        const columns = rules.map(() => ({ isBinary: false, isNumber: false, isGenerated: false }));
        const options = { header, charset: 'utf8', columns };
        requireSame(
          formatsOf(planOf(rules, isNormalised), createMysqlInsertRows, options),
          Buffer.from(statements.join(''), 'latin1'),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('are given whole where a town or a street has an apostrophe, in the INSERTs of MySQL', () => {
    const plan = planOf(
      ['hash', 'hash', 'city', 'street'].map((rule) => RULES.findIndex(([name]) => name === rule)),
      false,
    );
    const header = 'INSERT INTO `t` VALUES ';
    const rows = Array.from({ length: 800 }, (_, at) => `('${at}','b','town ${at}','street ${at}')`);
    const columns = plan.columns.map(() => ({ isBinary: false, isNumber: false, isGenerated: false }));
    const formats = formatsOf(plan, createMysqlInsertRows, { header, charset: 'utf8', columns });
    const block = Buffer.from(`${header}${rows.join(',')};\n`);
    assert.match(Buffer.from(formats.whole.format.mask(block, 0).bytes).toString(), /\\'/);
    requireSame(formats, block);
  });

  it('have towns and streets among them where an apostrophe stands as it is, in the rows of COPY', () => {
    const plan = planOf(
      ['hash', 'hash', 'city', 'street'].map((rule) => RULES.findIndex(([name]) => name === rule)),
      false,
    );
    const columns = plan.columns.map(({ column }) => column);
    const seededOf = (allowsQuotes: boolean) =>
      seededColumns(plan, columns, KEY, new Set(), allowsQuotes).map(({ index }) => index);
    assert.deepEqual(
      [seededOf(true), seededOf(false)],
      [
        [0, 1, 2, 3],
        [0, 1],
      ],
    );
    const formats = formatsOf(plan, createCopyRows, {});
    const block = Buffer.from(Array.from({ length: 800 }, (_, at) => `${at}\tb\ttown ${at}\tstreet ${at}\n`).join(''));
    assert.match(Buffer.from(formats.whole.format.mask(block, 0).bytes).toString(), /'/);
    requireSame(formats, block);
  });

  for (const [transformer, maxLength, value] of [
    ['lorem', 3, 'İab'],
    ['country', 2, 'İa'],
    ['country', 3, 'İab'],
  ] as const)
    it(`never become longer than their column by ${transformer} of values that small letters make longer than ${maxLength}`, () => {
      const plan = planOf([0, 0, RULES.findIndex(([name]) => name === transformer)], true);
      plan.columns = plan.columns.map((column) => ({ ...column, maxLength: column.column === 'c2' ? maxLength : 32 }));
      const { whole } = formatsOf(plan, createCopyRows, {});
      const tooLong = (error: RowFault) => /longer than the column can hold/.test(`${error.cause}`);
      assert.throws(() => whole.format.mask(Buffer.from(`a\tb\t${value}\n`), 0), tooLong);
    });
});

function requireSame({ whole, single }: ReturnType<typeof formatsOf>, block: Buffer): void {
  for (const ordinal of [0, 5]) {
    const [one, other] = [whole, single].map(({ format }) => format.mask(block, ordinal)) as [
      ReturnType<RowFormat['mask']>,
      ReturnType<RowFormat['mask']>,
    ];
    assert.equal(Buffer.from(one.bytes).toString(), Buffer.from(other.bytes).toString());
    assert.deepEqual([one.rowsIn, one.rowsOut], [other.rowsIn, other.rowsOut]);
  }
  assert.deepEqual(whole.memory.originals, single.memory.originals);
  const told = ({ probe }: typeof whole) =>
    probe
      .take()
      .map(({ column, hashes }) => ({ column, hashes: [...hashes].sort() }))
      .filter(({ hashes }) => hashes.length > 0)
      .sort((a, b) => (a.column < b.column ? -1 : 1));
  assert.deepEqual(told(whole), told(single));
}
