import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ColumnSchema } from '../../content/content-schema.ts';
import { findData } from './column-finding.ts';

test('a column of many words is free text, and one of blanks that fill it up is not', () => {
  const column: ColumnSchema = {
    name: 'filler',
    type: 'character(84)',
    family: 'text',
    isNullable: true,
    isGenerated: false,
  };
  const foundIn = (value: string) =>
    findData(column, 'public.accounts', { values: [value], seen: 1, nulls: 0 })?.evidence;
  assert.equal(foundIn('she asked for the red one again'), 'values have 7 words on average');
  assert.equal(foundIn(' '.repeat(84)), undefined);
  assert.equal(foundIn(`abc${' '.repeat(81)}`), undefined);
});
