import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatKeyPath, parseKeyPath } from './key-path.ts';

describe('key paths', () => {
  it('reads as people write them where names are plain', () => {
    assert.equal(formatKeyPath([]), '');
    assert.equal(formatKeyPath(['users', 1]), 'users[1]');
    assert.equal(formatKeyPath(['users', 1, 'address', 'city']), 'users[1].address.city');
    assert.equal(formatKeyPath([0, 'a', '0']), '[0].a.0');
    assert.equal(formatKeyPath(['a b', 'é', '__proto__']), 'a b.é.__proto__');
  });

  it('quotes names that hold what means something in a path', () => {
    assert.equal(formatKeyPath(['hosts', 'db.example.org', 'ports']), 'hosts["db.example.org"].ports');
    assert.equal(formatKeyPath(['', 'a[0]', '"]', '\\', '\n']), '[""]["a[0]"]["\\"]"]["\\\\"]["\\n"]');
  });

  it('gives every path back from its text, whatever the names', () => {
    const name = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('.', '[', ']', '"', '\\', '0', 'a', '\n') }));
    fc.assert(
      fc.property(fc.array(fc.oneof(name, fc.nat())), (path) => {
        assert.deepEqual(parseKeyPath(formatKeyPath(path)), path);
      }),
      { numRuns: 1000 },
    );
    const long = ['"x.\\'.repeat(100_000), 'y'.repeat(100_000)];
    assert.deepEqual(parseKeyPath(formatKeyPath(long)), long);
  });

  it('refuses texts that it never writes', () => {
    for (const text of ['.a', 'a.', 'a..b', 'a[', 'a[x]', '[01]', '["a"]', '["\\x"]', 'a]', '[""', 'a"b']) {
      assert.equal(parseKeyPath(text), undefined, text);
    }
  });
});
