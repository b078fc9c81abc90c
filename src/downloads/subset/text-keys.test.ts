import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { KeyTable, NO_REFERENCE } from './key-table.ts';
import { TextKeys } from './text-keys.ts';

test('no UUID stands for another key, neither for a short one nor for one that is hashed', () => {
  const long = 'a key that is longer than a UUID has bytes';
  const uuids = ['00000000-0000-0000-0000-000000000000', uuidOf(hash('sha256', long, 'hex'))];
  const values = [...uuids, '', long, '00000000-0000-0000-0000-00000000000a', null];
  const keys = new TextKeys();
  for (const value of values) keys.push(value);
  const table = new KeyTable(keys);
  assert.equal(table.duplicate, undefined);
  assert.deepEqual(
    values.map((_, at) => table.find(keys, at)),
    [0, 1, 2, 3, 4, NO_REFERENCE],
  );
});

function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}
