import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POLICY, selected, shop } from '../../../test/subset-rig.ts';
import { compileSubset } from './compile-subset.ts';
import type { SubsetPolicy } from './subset-policy.ts';

test('what a policy cannot mean is named: tables, columns, edges, what nothing connects, NULL where it may not be', () => {
  const { schema } = shop();
  const all: SubsetPolicy = {
    ...POLICY,
    roots: [{ table: 'users', sample: 0.1 }, { table: 'user' }, { table: 'orders', newest: { count: 1, by: 'made' } }],
    follow: [{ from: 'users', to: 'items', via: ['order_id'] }],
    nullOut: [
      { table: 'orders', columns: ['user_id'] },
      { table: 'users', columns: ['id'] },
    ],
    unconnected: new Map(),
  };
  const result = compileSubset(all, schema, () => true);
  assert.ok('problems' in result);
  assert.deepEqual(
    result.problems.map(({ code, table: name }) => `${code} ${name}`),
    [
      'subset-cut-impossible orders',
      'subset-edge-missing users',
      'subset-table-missing user',
      'subset-column-missing orders',
      'subset-edge-missing items',
      'subset-unconnected alone',
    ],
  );
  for (const { suggestion } of result.problems) assert.ok(suggestion.length > 10);
});

test('a budget of rows stops a subset that is too large, and says which tables are', () => {
  const policy = { ...POLICY, roots: [{ table: 'items' }], budget: { maxRows: 10 } };
  assert.throws(() => selected(policy, shop()), { code: 'variant-over-budget', message: /items: 30/ });
});
