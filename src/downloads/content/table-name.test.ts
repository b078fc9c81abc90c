import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tableName, tableNameParts } from './table-name.ts';

test('ordinary names are bare, and what would be misread is quoted', () => {
  assert.equal(tableName(['public', 'users']), 'public.users');
  assert.equal(tableName(['we.ird', 'ta"ble']), '"we.ird"."ta""ble"');
  assert.equal(tableName(['log_*']), '"log_*"');
});

test('every name is read back as it was, and spellings of one name come to one', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 3 }), (parts) => {
      assert.deepEqual(tableNameParts(tableName(parts)), parts);
      const quoted = parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
      assert.equal(tableName(tableNameParts(quoted)), tableName(parts));
    }),
  );
});

test('what is no name is refused', () => {
  for (const name of ['', '.', 'a.', '.a', 'a..b', '"a', 'a"b', '"a"b', 'a"b"'])
    assert.throws(() => tableNameParts(name), { code: 'table-name-invalid' }, name);
});
