import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fieldOf, parseFieldPath } from './field-path.ts';

const at = (document: unknown, name: string) => fieldOf(document, parseFieldPath(name) ?? assert.fail());

describe('a field of a document', () => {
  it('is found by its name, nested or with dots, in lists or alone', () => {
    assert.equal(at({ stats: { dumpedfiles: ['a', 'b'] } }, 'stats.dumpedfiles[0]'), 'a');
    assert.equal(at({ stats: { dumpedfiles: ['a', 'b'] } }, 'stats.dumpedfiles[1]'), 'b');
    assert.equal(at({ 'stats.dumpedfiles': ['a'] }, 'stats.dumpedfiles[0]'), 'a');
    assert.equal(at({ stats: { dumpedfiles: 'alone' } }, 'stats.dumpedfiles[0]'), 'alone');
    assert.equal(at({ files: [{ url: 'x' }] }, 'files[0].url'), 'x');
    assert.equal(at({ '@timestamp': 5 }, '@timestamp'), 5);
    assert.equal(at({ a: { other: 1 }, 'a.b': 2 }, 'a.b'), 2);
  });

  it('is undefined where it is not, whatever the document is', () => {
    for (const document of [undefined, null, 'text', 5, [], {}, { stats: null }, { stats: { dumpedfiles: [] } }])
      assert.equal(at(document, 'stats.dumpedfiles[0]'), undefined);
    assert.equal(at({}, 'constructor'), undefined);
    assert.equal(at({}, '__proto__.toString'), undefined);
  });

  it('has a name that can be read', () => {
    for (const name of ['', '.', 'a.', 'a..b', 'a[', 'a[x]', 'a]', '[0]'])
      assert.equal(parseFieldPath(name), undefined, name);
  });
});
