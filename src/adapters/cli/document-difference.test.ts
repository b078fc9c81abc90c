import assert from 'node:assert/strict';
import test from 'node:test';
import { readCanonicalText } from '../../core/json-document.ts';
import { documentDifference } from './document-difference.ts';

function difference(before: string, after: string): string[] {
  const changes = documentDifference(readCanonicalText(Buffer.from(before)), readCanonicalText(Buffer.from(after)));
  return changes.map(({ kind, pointer }) => `${kind} ${pointer}`);
}

test('the innermost places that differ are named by JSON pointers', () => {
  const before = '{"users":[{"id":1,"name":"Alice"}],"theme":"dark","a/b~":1}';
  const after = '{"users":[{"id":1,"name":"Eve"},{"id":2}],"a/b~":2,"new":null}';
  assert.deepEqual(difference(before, after), [
    'changed /a~1b~0',
    'added /new',
    'removed /theme',
    'changed /users/0/name',
    'added /users/1',
  ]);
});

test('order of members is no difference; another kind of value, or a digit beyond a double, is one', () => {
  assert.deepEqual(difference('{"a":1,"b":2}', '{"b":2,"a":1}'), []);
  assert.deepEqual(difference('{"a":[]}', '{"a":{}}'), ['changed /a']);
  assert.deepEqual(difference('[12345678901234567890]', '[12345678901234567891]'), ['changed /0']);
  assert.deepEqual(difference('1', '2'), ['changed ']);
});
