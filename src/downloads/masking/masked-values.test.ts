import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PostgresqlServer, SKIP_REASON } from '../../../test/postgresql-server.ts';
import type { TypeFamily } from '../content/content-schema.ts';
import type { Rule } from '../variant-plan.ts';
import { RowMasker } from './row-masker.ts';
import { TRANSFORMERS } from './transformers.ts';

interface Case {
  type: string;
  family: TypeFamily;
  transformer: string;
  options?: Record<string, unknown>;
  /** Of i, from 1 to 200. */
  value: string;
  /** Printed as it was written: without it, only read without an error. */
  isCanonical?: true;
}

const CASES: readonly Case[] = [
  {
    type: 'smallint',
    family: 'integer',
    transformer: 'int',
    options: { mode: 'permute' },
    value: '(i - 100) * 327',
    isCanonical: true,
  },
  {
    type: 'integer',
    family: 'integer',
    transformer: 'int',
    options: { noise: 2 ** 31 },
    value: '(i - 100) * 21474836',
    isCanonical: true,
  },
  {
    type: 'bigint',
    family: 'integer',
    transformer: 'int',
    options: { mode: 'permute' },
    value: '(i - 100) * 92233720368547758',
    isCanonical: true,
  },
  {
    type: 'numeric(5,2)',
    family: 'numeric',
    transformer: 'numeric',
    options: { noise: 50 },
    value: '(i - 100) * 9.99',
    isCanonical: true,
  },
  {
    type: 'numeric(5,2)',
    family: 'numeric',
    transformer: 'numeric',
    options: { round: 100 },
    value: '(i - 100) * 9.99',
    isCanonical: true,
  },
  {
    type: 'double precision',
    family: 'numeric',
    transformer: 'numeric',
    options: { round: 0.5 },
    value: '(i - 100) ^ 3 * 1e-4',
  },
  {
    type: 'double precision',
    family: 'numeric',
    transformer: 'numeric',
    options: { noise: 10 },
    value: '(i - 100) * 1.234e250',
  },
  {
    type: 'date',
    family: 'date',
    transformer: 'date',
    options: { noise: { days: 5000 } },
    value: "date '0001-06-01' + (i - 20) * 18000",
    isCanonical: true,
  },
  {
    type: 'timestamp',
    family: 'timestamp',
    transformer: 'date',
    options: { noise: { seconds: 86_400 } },
    value: "timestamp '2024-02-29 23:59:59.5' + i * interval '7 days 1 hour'",
    isCanonical: true,
  },
  {
    type: 'timestamp with time zone',
    family: 'timestamp',
    transformer: 'date',
    options: { truncate: 'week' },
    value: "timestamptz '1890-02-28 23:59:59.5' + i * interval '301 days 7 hours'",
  },
  { type: 'uuid', family: 'uuid', transformer: 'uuid', value: 'gen_random_uuid()', isCanonical: true },
  {
    type: 'bytea',
    family: 'bytes',
    transformer: 'hash',
    value: "decode(lpad(to_hex(i), 8, '0'), 'hex')",
    isCanonical: true,
  },
  { type: 'bytea', family: 'bytes', transformer: 'bytes', value: "decode(repeat('ff', i), 'hex')", isCanonical: true },
  { type: 'inet', family: 'inet', transformer: 'ip', value: "inet '10.0.0.0' + i * 65537", isCanonical: true },
  {
    type: 'inet',
    family: 'inet',
    transformer: 'ip',
    value: "set_masklen(inet '2001:db8::' + i * 4294967297, 1 + i % 128)",
    isCanonical: true,
  },
  {
    type: 'cidr',
    family: 'inet',
    transformer: 'ip',
    value: "set_masklen(cidr '10.11.12.0/24', 8 + i % 17)",
    isCanonical: true,
  },
  {
    type: 'macaddr',
    family: 'mac',
    transformer: 'mac',
    value: "lpad(to_hex(i * 12345678901), 12, '0')::macaddr",
    isCanonical: true,
  },
  {
    type: 'macaddr8',
    family: 'mac',
    transformer: 'mac',
    value: "lpad(to_hex(i * 12345678901), 16, '0')::macaddr8",
    isCanonical: true,
  },
  { type: 'boolean', family: 'boolean', transformer: 'bool', value: 'i % 2 = 0', isCanonical: true },
  { type: 'point', family: 'geometry', transformer: 'geo', value: 'point(i * 0.7 - 70, i * 1.5 - 150)' },
  { type: 'character(24)', family: 'text', transformer: 'card', value: '4111111111111111 + i', isCanonical: true },
  { type: 'text', family: 'text', transformer: 'lorem', value: "repeat('é', i)", isCanonical: true },
  { type: 'json', family: 'json', transformer: 'default', value: "'[1]'" },
  { type: 'interval', family: 'interval', transformer: 'default', value: "interval '1 day'" },
  { type: 'time', family: 'time', transformer: 'default', value: "time '10:00'" },
  { type: 'boolean', family: 'boolean', transformer: 'default', value: 'true' },
  { type: 'timestamp', family: 'timestamp', transformer: 'default', value: 'now()' },
  { type: 'tsvector', family: 'search', transformer: 'default', value: "'a b'::tsvector" },
  { type: 'integer[]', family: 'array', transformer: 'default', value: "'{1}'::integer[]" },
  { type: 'inet', family: 'inet', transformer: 'default', value: "inet '::1'" },
  { type: 'macaddr', family: 'mac', transformer: 'default', value: "macaddr '08:00:2b:01:02:03'" },
];

const ROWS = 200;

test('PostgreSQL reads what its own values become, as values of their types', { skip: SKIP_REASON }, async () => {
  await using stack = new AsyncDisposableStack();
  const server = await PostgresqlServer.start();
  stack.defer(() => server.stop());
  const answers = async (queries: readonly string[]): Promise<(string | null)[][]> => {
    const script = queries.map((text) => `select json_agg(v order by i) from (${text}) as values (i, v);`).join('\n');
    const output = Buffer.from(await server.sql('postgres', script), 'latin1').toString();
    return output.split('\n').map((line) => JSON.parse(line));
  };
  const series = `generate_series(1, ${ROWS}) as i`;
  const printed = await answers(CASES.map(({ type, value }) => `select i, ((${value})::${type})::text from ${series}`));
  const masked = CASES.map((each, index) => {
    const masker = maskerOf(each);
    return (printed[index] ?? []).map((value) => {
      const row = [value];
      masker.mask(row);
      return row[0] ?? null;
    });
  });
  const read = await answers(
    CASES.map(({ type }, index) => {
      const list = (masked[index] ?? []).map((value) => `'${value?.replaceAll("'", "''")}'`).join(',');
      return `select i, v::${type}::text from unnest(array[${list}]::text[]) with ordinality as given (v, i)`;
    }),
  );
  for (const [index, { type, transformer, isCanonical }] of CASES.entries()) {
    const name = `${transformer} of ${type}`;
    assert.equal(read[index]?.length, ROWS, name);
    if (isCanonical) assert.deepEqual(read[index], masked[index], name);
    if (TRANSFORMERS.get(transformer)?.facts(ruleOf(CASES[index]!).options, factsOf(CASES[index]!)).isInjective) {
      assert.equal(new Set(read[index]).size, new Set(printed[index]).size, name);
    }
  }
});

function maskerOf(each: Case): RowMasker {
  const column = { column: 'c', rule: ruleOf(each), ...factsOf(each) };
  return new RowMasker({ table: 't', fate: 'rows', columns: [column] }, ['c'], Buffer.alloc(32, 6));
}

function ruleOf({ transformer, options = {} }: Case): Rule {
  const parsed = TRANSFORMERS.get(transformer)?.options.parse(options) ?? {};
  return { transformer, options: parsed, domain: transformer, normalise: [] };
}

function factsOf({ type, family }: Case): { type: string; family: TypeFamily; isNullable: boolean } {
  return { type, family, isNullable: false };
}
