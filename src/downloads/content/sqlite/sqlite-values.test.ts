import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sqliteTokens } from './sqlite-tokens.ts';
import { type SqliteValue, storedValue, textOf } from './sqlite-values.ts';
import { withoutForeignKeysTo } from './without-foreign-keys.ts';

describe('values of SQLite', () => {
  it('come back from their text as what they were', () => {
    const values: fc.Arbitrary<SqliteValue> = fc.oneof(
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string({ unit: 'binary' }),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(values, (value) => assert.deepEqual(storedValue(textOf(value), value), value)),
      { numRuns: 3000 },
    );
  });

  it('become text where a rule gives what their storage class cannot hold', () => {
    assert.equal(storedValue('x', 1n), 'x');
    assert.equal(storedValue('9223372036854775808', 1n), 2 ** 63);
    assert.equal(storedValue('1.5', 1n), 1.5);
    assert.equal(storedValue('12', 'a'), '12');
    assert.equal(storedValue('12', Buffer.from('a')), '12');
    assert.equal(storedValue(null, 1n), null);
    assert.equal(textOf(2), '2.0');
    assert.equal(textOf(Number.POSITIVE_INFINITY), 'Inf');
  });
});

describe('definitions of SQLite', () => {
  it('are read in all the ways in which names may be quoted', () => {
    const sql = `CREATE/*x*/TABLE "a""b" ([c d], \`e\`\`f\`, 'g''h' DEFAULT x'ff') -- end`;
    assert.deepEqual(
      sqliteTokens(sql).map(({ kind, text }) => `${kind} ${text}`),
      [
        ...['word CREATE', 'word TABLE', 'name a"b', 'symbol (', 'name c d', 'symbol ,', 'name e`f', 'symbol ,'],
        ...["string g'h", 'word DEFAULT', 'string ff', 'symbol )'],
      ],
    );
  });

  it('lose the foreign keys to some tables and nothing else', () => {
    const targets = new Set(['gone']);
    const cases = [
      ['CREATE TABLE t (a REFERENCES gone, b)', 'CREATE TABLE t (a , b)'],
      [
        'CREATE TABLE t (a INT CONSTRAINT x REFERENCES [Gone] (id) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED NOT NULL)',
        'CREATE TABLE t (a INT  NOT NULL)',
      ],
      [
        'CREATE TABLE t (a, b, FOREIGN KEY (a) REFERENCES gone(id) MATCH FULL, FOREIGN KEY (b) REFERENCES kept)',
        'CREATE TABLE t (a, b, FOREIGN KEY (b) REFERENCES kept)',
      ],
      [
        'CREATE TABLE t (a, CONSTRAINT "gone" FOREIGN KEY (a, a) REFERENCES "gone" (x, y) ON DELETE NO ACTION NOT DEFERRABLE)',
        'CREATE TABLE t (a)',
      ],
      ["CREATE TABLE t (a DEFAULT 'references gone', gone)", "CREATE TABLE t (a DEFAULT 'references gone', gone)"],
    ];
    for (const [sql, expected] of cases) assert.equal(withoutForeignKeysTo(sql!, targets), expected);
  });
});
