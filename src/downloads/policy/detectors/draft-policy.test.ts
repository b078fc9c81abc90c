import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiled, ID, PRIMARY, reference, schemaOf, table, unique } from '../../../../test/policy-rig.ts';
import type { ColumnSchema, ContentSchema, TypeFamily } from '../../content/content-schema.ts';
import { TRANSFORMERS } from '../../masking/transformers.ts';
import { parsePredicate } from '../../predicate/parse-predicate.ts';
import { POLICY_LANGUAGE } from '../policy-language.ts';
import { readPolicy } from '../read-policy.ts';
import type { SchemaSamples } from './column-groups.ts';
import { ColumnSampler } from './column-sampler.ts';
import { draftPolicy } from './draft-policy.ts';

function draft(schema: ContentSchema, samples: SchemaSamples = new Map()): string {
  const options = { resource: 'shop', key: 'env:MASK_KEY', transformers: TRANSFORMERS, language: POLICY_LANGUAGE };
  return draftPolicy(schema, samples, options);
}

function problemsOf(schema: ContentSchema, text: string) {
  const content = schema.dialect === 'csv' ? { dialect: schema.dialect, tables: schema.tables } : schema;
  return compiled(readPolicy(text, { name: 'draft', parsePredicate }), content).problems;
}

function sample(values: readonly (string | null)[]) {
  const sampler = new ColumnSampler('x');
  for (const value of values) sampler.add(value);
  return sampler.sample;
}

const shop = schemaOf(
  table(
    'public.users',
    {
      id: ID,
      email: { isNullable: false, type: 'character varying(200)', maxLength: 200 },
      full_name: { maxLength: 10, type: 'character varying(10)' },
      password_hash: { isNullable: false },
      birth: { type: 'date', family: 'date' },
      phone: {},
      api_token: { isNullable: false },
      prefs: { type: 'jsonb', family: 'json', isNullable: false },
      avatar: { type: 'bytea', family: 'bytes' },
      active: { type: 'boolean', family: 'boolean' },
      ip: { type: 'inet', family: 'inet' },
      mood: { type: 'mood', family: 'enum', allowedValues: ['good', 'bad'] },
      gender: { allowedValues: ['f', 'm', 'x'], isNullable: false },
      whole: { isGenerated: true },
      contact: {},
      remark: {},
      code: {},
    },
    { uniqueKeys: [PRIMARY, unique('email'), unique('api_token'), unique('phone')] },
  ),
  table(
    'public.orders',
    { id: ID, user_email: {}, manager: ID },
    {
      uniqueKeys: [PRIMARY],
      foreignKeys: [reference('user_email', 'public.users', 'email'), reference('manager', 'public.orders')],
    },
  ),
  table('public.log', { at: {}, email: {} }, { isPartitioned: true }),
  table('public.log_1', { at: {}, email: {} }, { parent: 'public.log' }),
  table('public.log_x', { at: {}, email: {}, phone: {} }, { parent: 'public.log' }),
);

test('a draft names every column with a reason, and has no problems with its schema', () => {
  const samples: SchemaSamples = new Map([
    [
      'public.users',
      new Map([
        ['contact', sample(['ada@example.org', 'bob@example.org', null])],
        ['remark', sample(['likes tea', 'write to eve@example.org please'])],
        ['code', sample(['A1', 'B2'])],
      ]),
    ],
  ]);
  const text = draft(shop, samples);
  assert.deepEqual(problemsOf(shop, text), []);
  for (const line of [
    /^ {6}id: \{ rule: keep, type: bigint \} {2}# review$/m,
    /^ {6}email: \{ rule: email, .*# email \(high\): its name says email/m,
    /^ {6}contact: \{ rule: email, .*100 % of 2 values look like: email/m,
    /^ {6}remark: \{ rule: \{ text: .*scrub.*some of 2 values hold: email/m,
    /^ {6}code: \{ rule: keep, type: text \} {2}# review$/m,
    /^ {6}birth: \{ rule: \{ date: \{ truncate: year \} \}/m,
    /^ {6}prefs: \{ rule: \{ json: /m,
    /^ {6}avatar: \{ rule: null/m,
    /^ {6}whole: \{ rule: generated/m,
    /^ {6}gender: \{ rule: enum, /m,
    /^ {6}user_email: \{ rule: email, .*as public\.users\.email/m,
    /^ {2}# public\.log_1: as public\.log$/m,
    /^ {2}public\.log_x:\n {4}columns:\n {6}phone: /m,
  ])
    assert.match(text, line);
  assert.doesNotMatch(text, /ada@|eve@/, 'no value of a sample stands in a draft');
  assert.equal(draft(shop, samples), text);
});

test('a draft of CSV files and of names that are no plain words has no problems', () => {
  const names = [
    'a b',
    'null',
    '1',
    '0',
    'x: y',
    '#',
    '"',
    "'",
    'ä\n',
    '{',
    '*',
    '&a',
    '-',
    'yes',
    '~',
    '\u0085\u2028',
    '',
  ];
  const columns = Object.fromEntries(names.map((name) => [name, {}]));
  const weird = schemaOf(table('"we.ird"."t*"', columns), table('constructor', { email: {} }), table('123', columns));
  assert.deepEqual(problemsOf(weird, draft(weird)), []);
  const virtual = schemaOf(table('search', { words: {} }, { dropOnly: 'it is virtual' }));
  assert.deepEqual(problemsOf(virtual, draft(virtual)), []);
  const csv: ContentSchema = { dialect: 'csv', tables: [table('data/users.csv', { id: {}, email: {}, note: {} })] };
  const text = draft(csv);
  assert.deepEqual(problemsOf(csv, text), []);
  assert.match(text, /"data\/users\.csv":\n {4}csv:\n {6}columns:\n {8}id: /);
});

test('a column that no policy can speak of leaves its table without rows', () => {
  const schema = schemaOf(table('t', { ['__proto__' as string]: {} }), table('u', { a: {} }));
  const own = {
    ...schema,
    tables: schema.tables.map((each) =>
      each.name === 't' ? { ...each, columns: [{ ...schema.tables[1]!.columns[0]!, name: '__proto__' }] } : each,
    ),
  };
  assert.match(draft(own), /^ {2}t: structure /m);
  assert.deepEqual(problemsOf(own, draft(own)), []);
});

const FAMILIES: readonly TypeFamily[] = [
  ...([
    'text',
    'integer',
    'numeric',
    'boolean',
    'date',
    'timestamp',
    'time',
    'interval',
    'uuid',
    'json',
    'bytes',
  ] as const),
  ...(['array', 'hstore', 'enum', 'inet', 'mac', 'xml', 'search', 'geometry', 'other'] as const),
];
const NAMES = [
  'id',
  'email',
  'phone',
  'first_name',
  'name',
  'password',
  'token',
  'dob',
  'notes',
  'gender',
  'ip',
  'iban',
  'zip',
  'salary',
  'lat',
];

test('drafts of any schema have no problems with it', () => {
  const column = fc.record({
    family: fc.constantFrom(...FAMILIES),
    isNullable: fc.boolean(),
    isGenerated: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
    maxLength: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    allowedValues: fc.option(fc.array(fc.string(), { minLength: 1, maxLength: 3 }), { nil: undefined, freq: 8 }),
  });
  const columns = fc.array(fc.tuple(fc.constantFrom(...NAMES), column), { minLength: 1, maxLength: 8 });
  const link = fc.record({ from: fc.nat(), to: fc.nat(), column: fc.nat(), target: fc.nat() });
  const schema = fc.record({
    tables: fc.array(columns, { minLength: 1, maxLength: 5 }),
    links: fc.array(link, { maxLength: 6 }),
    keys: fc.array(fc.tuple(fc.nat(), fc.array(fc.nat(), { minLength: 1, maxLength: 2 }), fc.boolean()), {
      maxLength: 6,
    }),
  });
  fc.assert(
    fc.property(schema, ({ tables, links, keys }) => {
      const made = tables.map((list, index) => {
        const facts = Object.fromEntries(
          list.map(([name, { maxLength, allowedValues, ...rest }]) => [
            name,
            {
              ...rest,
              type: rest.family,
              ...(maxLength !== undefined && rest.family === 'text' ? { maxLength } : {}),
              ...(allowedValues === undefined ? {} : { allowedValues }),
            } as Partial<ColumnSchema>,
          ]),
        );
        return table(`t${index}`, facts);
      });
      const linked = made.map((each, index) => ({
        ...each,
        uniqueKeys: keys
          .filter(([of]) => of % made.length === index)
          .map(([, at, isPrimary], number) => ({
            name: `key${number}`,
            columns: [...new Set(at.map((one) => each.columns[one % each.columns.length]!.name))],
            isPrimary,
            isExpression: false,
          })),
        foreignKeys: links
          .filter(({ from }) => from % made.length === index)
          .flatMap(({ to, column: at, target }) => {
            const other = made[to % made.length]!;
            const own = each.columns[at % each.columns.length]!;
            // Databases let columns of one type refer to each other, and no generated ones here.
            const fit = other.columns.filter(({ family, isGenerated }) => family === own.family && !isGenerated);
            const chosen = fit[target % Math.max(fit.length, 1)];
            return chosen === undefined || own.isGenerated ? [] : [reference(own.name, other.name, chosen.name)];
          }),
      }));
      const whole = schemaOf(...linked);
      assert.deepEqual(problemsOf(whole, draft(whole)), []);
    }),
    { numRuns: 300 },
  );
});

test('a number of a person in a column of integers that must be filled is permuted, not kept', () => {
  const number = { type: 'bigint', family: 'integer', isNullable: false } as const;
  const schema = schemaOf(table('public.users', { id: ID, phone: number, card_number: number, postal_code: number }));
  const text = draft(schema);
  for (const column of ['phone', 'card_number', 'postal_code'])
    assert.match(text, new RegExp(`${column}: \\{ rule: \\{ int: permute \\},`));
  assert.deepEqual(problemsOf(schema, text), []);
});
