import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesName, matchesTable, parseTableName, toolPattern, toolTablePattern } from './name-pattern.ts';

test('names of tables are taken apart at the dot that is not in quotes', () => {
  assert.deepEqual(parseTableName('sales.orders'), { schema: 'sales', table: 'orders' });
  assert.deepEqual(parseTableName('"a.b"."c ""d"""'), { schema: 'a.b', table: 'c "d"' });
  assert.deepEqual(parseTableName('sales.a.b'), { schema: 'sales', table: 'a.b' });
  for (const text of ['orders', '.orders', 'sales.', '']) assert.equal(parseTableName(text), undefined);
});

test('a star stands for any characters and nothing else is special', () => {
  assert.ok(matchesName('log_2025', 'log_*'));
  assert.ok(!matchesName('LOG_2025', 'log_*'));
  assert.ok(!matchesName('ab', 'a?'));
  assert.ok(matchesName('a?(b)|', 'a?(b)|'));
  assert.ok(matchesTable({ schema: 's', table: 'x' }, { schema: '*', table: 'x' }));
});

test('pg_dump gets patterns that mean the same', () => {
  assert.equal(toolPattern('log_*'), '"log_"*');
  assert.equal(toolPattern('a"b'), '"a""b"');
  assert.equal(toolTablePattern({ schema: '*', table: 'x.y' }), '*."x.y"');
});
