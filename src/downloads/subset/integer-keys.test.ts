import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IntegerKeys } from './integer-keys.ts';
import { DANGLING, KeyTable, NO_REFERENCE } from './key-table.ts';

test('text that JavaScript takes for a number is no other key than itself', () => {
  const table = new KeyTable(keysOf(['0', '16', ' ', '0x10', '9007199254740993', null]));
  assert.equal(table.duplicate, undefined);
  const found = ['0', ' ', '0x10', '0b10000', '', '16', '0016', ' 16 ', '16.0', '1.6e1', '9007199254740993', null];
  const references = keysOf(found);
  assert.deepEqual(
    found.map((_, at) => table.find(references, at)),
    [0, 2, 3, DANGLING, DANGLING, 1, 1, 1, 1, 1, 4, NO_REFERENCE],
  );
});

function keysOf(values: readonly (string | null)[]): IntegerKeys {
  const keys = new IntegerKeys();
  for (const value of values) keys.push(value);
  return keys;
}
