import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PostgresqlServer, SKIP_REASON } from '../../../test/postgresql-server.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { TypeFamily } from '../content/content-schema.ts';
import { columnsOf, compilePredicate } from './compile-predicate.ts';
import { parsePredicate } from './parse-predicate.ts';

/** Whether a condition on one column holds for each of its values. */
function chosen(
  condition: string,
  family: TypeFamily,
  values: readonly (string | null)[],
  isCautious = false,
): (string | null)[] {
  const test = compilePredicate(
    parsePredicate(condition),
    (column) => (column === 'x' ? family : undefined),
    () => 0,
    { isCautious },
  );
  return values.filter((value) => test([value]));
}

describe('a condition on rows', () => {
  it('compares ids of nineteen digits and long decimals to the last digit', () => {
    const ids = ['9223372036854775806', '9223372036854775807'];
    assert.deepEqual(chosen('x = 9223372036854775807', 'integer', ids), ['9223372036854775807']);
    assert.deepEqual(chosen('x < 9223372036854775807', 'integer', ids), ['9223372036854775806']);
    const decimals = ['0.1', '0.10', '0.1000000000000000000001', '-0.1', '1e-1', 'NaN', '-Infinity', '1e400'];
    assert.deepEqual(chosen('x = 0.1', 'numeric', decimals), ['0.1', '0.10', '1e-1']);
    assert.deepEqual(chosen('x > 0.1', 'numeric', decimals), ['0.1000000000000000000001', 'NaN', '1e400']);
    assert.deepEqual(chosen("x = 'NaN' or x < -1", 'numeric', decimals), ['NaN', '-Infinity']);
  });

  it('compares moments whatever their offsets, and knows infinity and years before Christ', () => {
    const moments = [
      '2026-03-29 01:30:00+01',
      '2026-03-29 00:30:00.000001+00',
      '0044-03-15 00:00:00+00 BC',
      'infinity',
    ];
    assert.deepEqual(chosen("x = '2026-03-29T00:30:00Z'", 'timestamp', moments), [moments[0]]);
    assert.deepEqual(chosen("x > '2026-03-29 00:30'", 'timestamp', moments), [moments[1], moments[3]]);
    assert.deepEqual(chosen("x < '0001-01-01'", 'timestamp', moments), [moments[2]]);
  });

  it('means no row, where it is cautious, that a collation may take for another', () => {
    const roles = ['customer', 'Customer', 'customer  ', 'cústomer', 'ｃustomer', 'staff', null];
    for (const [condition, family, passed] of [
      ["x = 'customer'", 'text', ['customer']],
      ["x != 'customer'", 'text', ['staff']],
      ["not x = 'customer'", 'enum', ['staff']],
      ["x not in ('customer', 'guest')", 'text', ['staff']],
      ["x in ('customer', 'guest')", 'text', ['customer']],
      ["x like 'cust%'", 'text', ['customer', 'customer  ']],
      ["x not like 'cust%'", 'text', ['staff']],
      ["x not ilike 'CUST%R'", 'text', ['staff']],
      ["x > 'm'", 'text', ['staff']],
    ] as const)
      assert.deepEqual(chosen(condition, family, roles, true), passed, condition);
    assert.deepEqual(chosen("x < 'm'", 'text', ['Zoe', 'anna', 'straße'], true), ['anna']);
    assert.deepEqual(chosen("x != 'STRASSE'", 'text', ['straße', 'weg'], true), ['weg']);
  });

  it('takes what is neither true nor false in a column of numbers, or no UUID, for unknown', () => {
    assert.deepEqual(chosen('not x', 'integer', ['0', '1', '2', '-1']), ['0']);
    assert.deepEqual(chosen('x', 'integer', ['0', '1', '2', '-1']), ['1']);
    const id = '00000000-0000-0000-0000-000000000001';
    assert.deepEqual(chosen(`x != '${id}'`, 'uuid', [id, `{${id.toUpperCase()}}`, 'none', ''], true), []);
  });

  it('reads booleans in each of the spellings that dumps have', () => {
    assert.deepEqual(chosen('x', 'boolean', ['t', 'f', 'true', 'false', '1', '0', null]), ['t', 'true', '1']);
    assert.deepEqual(chosen('not x', 'integer', ['1', '0', null]), ['0']);
  });

  it('neither takes nor leaves a value that is no text of its type', () => {
    assert.deepEqual(chosen('x = 1', 'integer', ['one', '1']), ['1']);
    assert.deepEqual(chosen('not (x = 1)', 'integer', ['one', '2']), ['2']);
    assert.deepEqual(chosen('x not in (1, 2)', 'integer', ['one', '3']), ['3']);
  });

  it('matches a hostile pattern against a long value at once', () => {
    const pattern = `${'%a_'.repeat(300)}b`;
    assert.deepEqual(chosen(`x like '${pattern}'`, 'text', ['a'.repeat(20_000)]), []);
  });

  it('refuses what the type of a column cannot be asked', () => {
    for (const [condition, family] of [
      ['x = 1', 'json'],
      ["x < 'b'", 'enum'],
      ["x = 'soon'", 'timestamp'],
      ["x = '2026-02-30'", 'date'],
      ["x like '1%'", 'integer'],
      ["x = 'ten'", 'numeric'],
      ["y = 'a'", 'text'],
      [`x like '${'a'.repeat(1001)}'`, 'text'],
    ] as const) {
      assert.throws(
        () => chosen(condition, family, []),
        (error) => error instanceof HoldfastError && error.code === 'predicate-invalid',
        condition,
      );
    }
  });

  it('says which columns it reads', () => {
    assert.deepEqual(columnsOf(parsePredicate("a = 1 and not (b is null or a like 'x' or c in (1))")), ['a', 'b', 'c']);
  });
});

describe('a condition on rows beside PostgreSQL', { skip: SKIP_REASON }, () => {
  const columns = ['i', 'n', 'f', 'c', 'd', 'ts', 'tz', 'v', 'u', 'tm'] as const;
  const families: Record<string, TypeFamily> = {
    ...{ i: 'integer', n: 'numeric', f: 'numeric', c: 'text', d: 'date' },
    ...{ ts: 'timestamp', tz: 'timestamp', v: 'boolean', u: 'uuid', tm: 'time' },
  };

  it('chooses the same rows', async () => {
    await using stack = new AsyncDisposableStack();
    const server = await PostgresqlServer.start(["timezone = 'Asia/Kolkata'"]);
    stack.defer(() => server.stop());
    const rows = fc.sample(row, { numRuns: 300, seed: 7 });
    const conditions = fc.sample(condition, { numRuns: 400, seed: 11 });
    const script = [
      'create table t (id int, i bigint, n numeric, f float8, c text collate "C", d date, ts timestamp, tz timestamptz, v boolean, u uuid, tm time);',
      ...rows.map((values, id) => `insert into t values (${[id, ...values].join(', ')});`),
      `select json_agg(json_build_array(${columns.map((name) => `${name}::text`).join(', ')}) order by id) from t;`,
      // A constant without an offset is of UTC; the texts above have the server's.
      "set timezone = 'UTC';",
      ...conditions.map((text) => `select coalesce(json_agg(id order by id), '[]') from t where ${text};`),
    ].join('\n');
    const output = Buffer.from(await server.sql('postgres', script), 'latin1').toString();
    // json_agg puts line ends between arrays.
    const [first = '', ...others] = output.replaceAll(/, \n /g, ', ').split('\n');
    const texts: (string | null)[][] = JSON.parse(first);
    assert.equal(others.length, conditions.length);
    for (const [index, text] of conditions.entries()) {
      const test = compilePredicate(
        parsePredicate(text),
        (name) => families[name],
        (name) => columns.indexOf(name as 'i'),
      );
      const ours = texts.flatMap((values, id) => (test(values) ? [id] : []));
      assert.deepEqual(ours, JSON.parse(others[index] as string), text);
    }
  });
});

const integers = fc.oneof(
  fc.integer({ min: -3, max: 3 }).map(String),
  fc.constantFrom('9223372036854775807', '9223372036854775806', '-9223372036854775808', '123456789012345678'),
);
const decimals = fc.oneof(
  integers,
  fc.constantFrom('0.1', '0.10', '-0.1', '1.50', '123456789.000000001', '1e3', '.5', '-0'),
);
const texts = fc
  .array(fc.constantFrom('a', 'b', 'A', 'é', 'z', '%', '_', '\\', "'", '𝄞', '\ufffd', ' '), { maxLength: 4 })
  .map((list) => list.join(''));
const dates = fc.constantFrom(
  '2026-01-31',
  '2026-02-01',
  '0044-03-15',
  '10001-01-01',
  '1999-12-31',
  'infinity',
  '-infinity',
);
const times = fc.constantFrom('10:00', '10:00:00.5', '10:00:00.50', '23:59:59', '00:00');
const moments = fc.tuple(dates, times).map(([date, time]) => (date.endsWith('y') ? date : `${date} ${time}`));
const zoned = fc
  .tuple(moments, fc.constantFrom('', '+02', '-05:30', 'Z'))
  .map(([moment, offset]) => (moment.endsWith('y') ? moment : moment + offset));
const uuids = fc.constantFrom(
  '00000000-0000-0000-0000-000000000001',
  'A0000000-0000-0000-0000-00000000000f',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
);
const booleans = fc.constantFrom('true', 'false');

const quoted = (values: fc.Arbitrary<string>) => values.map((value) => `'${value.replaceAll("'", "''")}'`);
const constants: Record<string, fc.Arbitrary<string>> = {
  i: integers,
  n: fc.oneof(decimals, fc.constantFrom("'NaN'", "'Infinity'", "'-Infinity'")),
  f: fc.constantFrom('0.5', '1', '-2', '1e300', "'NaN'", "'-Infinity'", '1e-300', '0'),
  c: quoted(texts),
  d: quoted(dates),
  ts: quoted(moments),
  tz: quoted(zoned),
  v: fc.oneof(booleans, fc.constantFrom("'t'", "'off'", "'1'")),
  u: quoted(uuids),
  tm: quoted(times),
};
const row = fc.tuple(...Object.values(constants).map((value) => fc.option(value, { nil: 'null', freq: 6 })));

const simple = fc.constantFrom(...Object.keys(constants)).chain((name) => {
  const value = constants[name] as fc.Arbitrary<string>;
  const not = fc.constantFrom('', ' not');
  const tests = [
    fc
      .tuple(fc.constantFrom('=', '!=', '<>', '<', '<=', '>', '>='), value)
      .map(([operator, text]) => `${name} ${operator} ${text}`),
    fc
      .tuple(not, fc.array(value, { minLength: 1, maxLength: 3 }))
      .map(([no, list]) => `${name}${no} in (${list.join(', ')})`),
    fc.tuple(not, value, value).map(([no, low, high]) => `${name}${no} between ${low} and ${high}`),
    not.map((no) => `${name} is${no} null`),
  ];
  if (name === 'v') tests.push(fc.constantFrom('v', 'v is true', 'v is not false', 'not v is not true'));
  if (name === 'c') {
    const patterns = quoted(texts.filter((text) => !/(?:^|[^\\])(?:\\\\)*\\$/.test(text)));
    tests.push(
      fc
        .tuple(not, fc.constantFrom('like', 'ilike'), patterns)
        .map(([no, like, pattern]) => `c${no} ${like} ${pattern}`),
    );
  }
  return fc.oneof(...tests);
});
const condition = fc.letrec<{ any: string; deep: string }>((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, simple, tie('deep')),
  deep: fc.oneof(
    tie('any').map((inner) => `not (${inner})`),
    fc.tuple(tie('any'), fc.constantFrom('and', 'or'), tie('any')).map(([a, operator, b]) => `(${a}) ${operator} ${b}`),
  ),
})).any;
