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

test('keys are the same whether their neighbours are near, far, wide or NULL', () => {
  const blocks = [
    (at: number) => at,
    (at: number) => at * 70_000,
    (at: number) => (at % 3) - 5,
    (at: number) => 2 ** 40 + at,
  ];
  const keys = new IntegerKeys();
  const keyAt = (at: number) => (at % 11 === 3 ? null : (blocks[at >> 16]?.(at) ?? at));
  for (let at = 0; at < 5 << 16; at++) {
    const value = keyAt(at);
    if (value === null) keys.push(null);
    else keys.pushNumber(value);
  }
  for (let at = 0; at < 5 << 16; at++) assert.equal(keys.isNull(at) ? null : keys.valueAt(at), keyAt(at));
});
