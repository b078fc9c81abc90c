import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiled, reference, schemaOf, table, unique } from '../../../../test/policy-rig.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { ColumnSchema, ContentSchema, TableSchema, TypeFamily } from '../../content/content-schema.ts';

const TABLES = ['a', 'b', 'c'];
const COLUMNS = ['id', 'x', 'y'];
const families = fc.constantFrom<TypeFamily>('text', 'text', 'integer', 'json', 'date');

const schemas = fc
  .record({
    columns: fc.array(
      fc.array(
        fc.record({
          family: families,
          isNullable: fc.boolean(),
          labels: fc.boolean(),
          isGenerated: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    links: fc.array(fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)), { maxLength: 4 }),
    parents: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { maxLength: 2 }),
    keys: fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { maxLength: 2 }),
  })
  .map(({ columns, links, parents, keys }): ContentSchema => {
    const tables = columns.map((list, at) =>
      table(
        TABLES[at]!,
        Object.fromEntries(
          list.map(({ labels, ...facts }, index) => [
            COLUMNS[index]!,
            { ...facts, type: facts.family, ...(labels ? { allowedValues: ['a', 'b'] } : {}) },
          ]),
        ),
      ),
    );
    return schemaOf(
      ...tables.map((each, at) => {
        const parent = parents.find(([child]) => child === at)?.[1];
        return {
          ...each,
          ...(parent === undefined || tables[parent] === undefined ? {} : { parent: TABLES[parent]! }),
          uniqueKeys: keys.filter(([of]) => of === at).map(([, column]) => unique(COLUMNS[column]!)),
          foreignKeys: links
            .filter(([of]) => of === at)
            .map(([, column, target, other]) => reference(COLUMNS[column]!, TABLES[target]!, COLUMNS[other]!)),
        };
      }),
    );
  });

const rules = fc.constantFrom<unknown>(
  ...['keep', 'generated', null, 'name', 'enum', 'enum', 'hash', 'p.mail', 'nonsense', 'keep', 'keep'],
  ...[
    { enum: {} },
    { choice: ['a', 'b'] },
    { const: 'x' },
    { json: {} },
    { json: { paths: { '$.a': 'keep', '$.b': { constructor: 1 } } } },
    { template: '{x}' },
    { date: 'year' },
  ],
  ...[
    { rule: 'keep', type: 'text' },
    { rule: 'name', allow_uniqueness_loss: 'no index' },
    { constructor: {} },
    { toString: 1 },
  ],
);
/** Mostly what the column can have. */
const rulesFor = ({ isGenerated, allowedValues, isNullable }: ColumnSchema): fc.Arbitrary<unknown> => {
  const fit = isGenerated
    ? ['generated']
    : ['keep', ...(isNullable ? [null] : []), ...(allowedValues ? ['enum', { const: 'a' }] : ['hash'])];
  return fc.oneof({ weight: 1, arbitrary: rules }, { weight: 8, arbitrary: fc.constantFrom<unknown>(...fit) });
};

/** What a policy says of the tables of a schema: mostly of columns that there are, so that many become plans. */
const entriesOf = ({ columns }: TableSchema): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom<unknown>('structure', 'drop', undefined, { columns: { absent: 'keep' } }) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          fc.tuple(...columns.map((column) => fc.option(rulesFor(column), { nil: undefined, freq: 3 }))),
          fc.integer({ min: 0, max: 9 }),
        )
        .map(([chosen, chance]) => ({
          columns: Object.fromEntries(
            columns.flatMap(({ name }, index) => (chosen[index] === undefined ? [] : [[name, chosen[index]]])),
          ),
          ...(chance === 0 ? { unless: "x = 'a'", accept: { unless: 'our own staff' } } : {}),
        })),
    },
  );
const policiesOf = ({ tables }: ContentSchema) =>
  fc
    .tuple(fc.tuple(...tables.map(entriesOf)), fc.constantFrom('fail', 'structure'), fc.constantFrom('fail', null))
    .map(([entries, new_table, new_column]) => ({
      tables: Object.fromEntries(
        tables.flatMap(({ name }, index) => (entries[index] === undefined ? [] : [[name, entries[index]]])),
      ),
      domains: { 'p.mail': { transform: 'email', normalise: ['lower'] } },
      defaults: { new_table, new_column },
    }));

const textOf = (policy: object) =>
  Object.entries(policy)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');

const cases = schemas.chain((schema) => policiesOf(schema).map((policy) => ({ schema, policy })));

test('a plan keeps a column only where the policy says keep or generated of it, of its parent or of what it refers to', () => {
  let plans = 0;
  fc.assert(
    fc.property(cases, ({ schema, policy }) => {
      let result: ReturnType<typeof compiled>;
      try {
        result = compiled(textOf(policy), schema);
      } catch (error) {
        assert.ok(error instanceof HoldfastError && error.code === 'masking-policy-invalid', String(error));
        return;
      }
      const { plan, problems } = result;
      assert.equal(plan === undefined, problems.length > 0);
      if (plan?.content.kind !== 'tables') return;
      plans++;
      const says = (name: string, column: string, seen: readonly string[]): boolean => {
        if (seen.includes(`${name}.${column}`)) return false;
        const of = schema.tables.find((each) => each.name === name);
        const entry = policy.tables[name];
        const named = (entry as { columns?: Record<string, unknown> } | undefined)?.columns ?? {};
        const rule = Object.hasOwn(named, column) ? JSON.stringify(named[column]) : undefined;
        if (rule !== undefined) return rule.includes('keep') || rule.includes('generated');
        const on = [...seen, `${name}.${column}`];
        return (
          (of?.parent !== undefined && says(of.parent, column, on)) ||
          of?.foreignKeys.some((key) => key.columns[0] === column && says(key.target, key.targetColumns[0]!, on)) ===
            true
        );
      };
      for (const { table: name, fate, columns } of plan.content.tables) {
        assert.equal(columns.length, schema.tables.find((each) => each.name === name)?.columns.length);
        for (const { column, rule } of columns)
          if (fate === 'rows' && rule.transformer === 'keep') {
            const isGenerated = schema.tables
              .find((each) => each.name === name)
              ?.columns.find((each) => each.name === column)?.isGenerated;
            assert.ok(isGenerated || says(name, column, []), `${name}.${column} is kept`);
          }
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(plans > 300, `only ${plans} policies had a plan`);
});
