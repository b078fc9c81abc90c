import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiled, reference, schemaOf, table, unique } from '../../../../test/policy-rig.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { ContentSchema, TypeFamily } from '../../content/content-schema.ts';

const TABLES = ['a', 'b', 'c'];
const COLUMNS = ['id', 'x', 'y'];
const families = fc.constantFrom<TypeFamily>('text', 'integer', 'json', 'enum', 'date');

const schemas = fc
  .record({
    columns: fc.array(
      fc.array(
        fc.record({
          family: families,
          isNullable: fc.boolean(),
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
        Object.fromEntries(list.map((facts, index) => [COLUMNS[index]!, { ...facts, type: facts.family }])),
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
  ...['keep', 'generated', null, 'name', 'hash', 'p.mail', 'nonsense', 'keep', 'keep'],
  ...[
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
const entries = fc.oneof(
  fc.constantFrom<unknown>('structure', 'drop'),
  fc.dictionary(fc.constantFrom(...COLUMNS), rules).map((columns) => ({ columns })),
  fc.dictionary(fc.constantFrom(...COLUMNS), rules).map((columns) => ({
    columns,
    unless: "x = 'a'",
    accept: { unless: 'our own staff' },
  })),
);
const policies = fc.record(
  {
    tables: fc.dictionary(fc.constantFrom(...TABLES, 'd'), entries, { maxKeys: 3 }),
    domains: fc.constant({ 'p.mail': { transform: 'email', normalise: ['lower'] } }),
    defaults: fc.record({ new_table: fc.constantFrom('fail', 'structure'), new_column: fc.constantFrom('fail', null) }),
  },
  { requiredKeys: ['tables', 'domains'] },
);

const textOf = (policy: object) =>
  Object.entries(policy)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');

test('a plan keeps a column only where the policy says keep or generated of it, of its parent or of what it refers to', () => {
  let plans = 0;
  fc.assert(
    fc.property(schemas, policies, (schema, policy) => {
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
  assert.ok(plans > 50, `only ${plans} policies had a plan`);
});
