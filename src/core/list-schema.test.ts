import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { listOf } from './list-schema.ts';

const schema = z.object({ list: listOf(z.object({ name: z.string() })) });

test('a list of what is wanted comes back as z.array gives it, without fields that are not known', () => {
  assert.deepEqual(schema.parse({ list: [{ name: 'a', other: 1 }, { name: 'b' }] }), {
    list: [{ name: 'a' }, { name: 'b' }],
  });
  assert.deepEqual(schema.parse({ list: [] }), { list: [] });
});

test('of a list with many wrong items the first is told, by its place', () => {
  const { error } = schema.safeParse({ list: [{ name: 'a' }, ...Array(1000).fill({ name: 0 })] });
  assert.deepEqual(
    error?.issues.map(({ path }) => path),
    [['list', 1, 'name']],
  );
  assert.equal(schema.safeParse({ list: 'a' }).success, false);
});
