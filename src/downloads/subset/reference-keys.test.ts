import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntegerKeys } from './integer-keys.ts';
import { KeyTable } from './key-table.ts';
import { rowsReferredTo } from './reference-keys.ts';
import { TextKeys } from './text-keys.ts';

const KEYS = fc.array(fc.option(fc.integer({ min: -20, max: 20 }).map(String)), { maxLength: 60 });

test('references lead to the same rows whether these or the references are looked up', () => {
  const property = fc.property(KEYS, KEYS, fc.constantFrom(IntegerKeys, TextKeys), (own, referring, Keys) => {
    const [keys, references] = [filled(new Keys(), [...new Set(own)]), filled(new Keys(), referring)];
    const table = new KeyTable(keys);
    const { rows, duplicate } = rowsReferredTo(references, keys);
    assert.deepEqual(
      [...rows],
      referring.map((_, at) => table.find(references, at)),
    );
    assert.equal(duplicate, undefined);
  });
  fc.assert(property, { numRuns: 300 });
});

test('two rows with the key of a reference are told, and of keys that no reference has nothing is', () => {
  const keys = filled(new IntegerKeys(), ['1', '2', '2', null, null, '3', '1']);
  const of = (...references: (string | null)[]) => rowsReferredTo(filled(new IntegerKeys(), references), keys);
  assert.deepEqual(of('3', null, '4'), { rows: Int32Array.of(5, -1, -2), duplicate: undefined });
  assert.equal(of('3', '1').duplicate, 6);
  assert.equal(of('2').duplicate, 2);
});

function filled<Keys extends IntegerKeys | TextKeys>(keys: Keys, values: readonly (string | null)[]): Keys {
  for (const value of values) keys.push(value);
  return keys;
}
