import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../core/errors.ts';
import { parsePredicate } from './parse-predicate.ts';

describe('reading a condition', () => {
  it('binds not before and before or', () => {
    assert.deepEqual(parsePredicate("status != 'deleted' and (age between 18 and 30 or vip)"), {
      kind: 'and',
      of: [
        { kind: 'compare', column: 'status', operator: '!=', value: 'deleted' },
        {
          kind: 'or',
          of: [
            { kind: 'between', column: 'age', low: 18, high: 30 },
            { kind: 'compare', column: 'vip', operator: '=', value: 'true' },
          ],
        },
      ],
    });
    assert.deepEqual(parsePredicate('NOT a = 1 AND b = 2 OR c <> 3'), {
      kind: 'or',
      of: [
        {
          kind: 'and',
          of: [
            { kind: 'not', of: { kind: 'compare', column: 'a', operator: '=', value: 1 } },
            { kind: 'compare', column: 'b', operator: '=', value: 2 },
          ],
        },
        { kind: 'compare', column: 'c', operator: '!=', value: 3 },
      ],
    });
  });

  it('takes names as they are written, quotes in quotes doubled, and numbers to their last digit', () => {
    assert.deepEqual(parsePredicate(`"a ""b" in ('it''s', -1.5, 9223372036854775807, 1.50)`), {
      kind: 'in',
      column: 'a "b',
      values: ["it's", -1.5, '9223372036854775807', '1.50'],
    });
    assert.deepEqual(parsePredicate("`Straße` not like '50\\%%'"), {
      kind: 'not',
      of: { kind: 'like', column: 'Straße', pattern: '50\\%%', ignoresCase: false },
    });
    assert.deepEqual(parsePredicate('"and" is not null'), { kind: 'not', of: { kind: 'null', column: 'and' } });
  });

  const faults: [string, number, RegExp][] = [
    ['', 1, /a column was expected, but the condition ends/],
    ['a =', 4, /a string in single quotes or a number was expected, but/],
    ['a = null', 5, /write "is null"/],
    ['a = b', 5, /not "b"/],
    ["'x' = a", 1, /a column stands on the left/],
    ['a = 1 b', 7, /"and", "or" or the end was expected, not "b"/],
    ["a = 'x", 5, /a string is not closed/],
    ['a in ()', 7, /a string in single quotes or a number/],
    ['a between 1 or 2', 13, /"and" was expected after "between"/],
    ['a not = 1', 7, /after "not"/],
    ['(a = 1', 7, /"\)" was expected, but/],
    ['a = 1; drop table b', 6, /";" has no meaning here/],
    ['lower(a) = 1', 6, /"and", "or" or the end was expected, not "\("/],
    ['a is 1', 6, /"null", "not null"/],
    ["a like 'x\\'", 8, /must not end in a backslash/],
    ['in = 1', 1, /put it in double quotes/],
    ['a = 1x', 6, /a number runs into a word/],
    ['"" = 1', 1, /a quoted name is empty/],
    [`${'('.repeat(101)}a${')'.repeat(101)}`, 101, /nested deeper than 100/],
    [`${'not '.repeat(101)}a`, 401, /nested deeper than 100/],
    [`a = '${'x'.repeat(10_000)}'`, 10_001, /longer than 10000/],
  ];
  for (const [text, position, message] of faults) {
    it(`names the place of what is wrong in ${text.slice(0, 20) || 'nothing'}`, () => {
      assert.throws(
        () => parsePredicate(text),
        (error) => {
          assert.ok(error instanceof HoldfastError && error.code === 'predicate-invalid');
          assert.match(error.message, message);
          assert.equal(error.details.position, position);
          return true;
        },
      );
    });
  }

  it('either reads a hostile text or refuses it as invalid, and in either case at once', () => {
    const pieces = fc.constantFrom(
      ...['a', '"b c"', "'", '"', '`', '(', ')', ',', ' and ', ' or ', ' not ', '=', '<', '>', '!=', ' in ', ' is '],
      ...[
        ' null ',
        ' like ',
        "'%_\\'",
        '1',
        '1e9',
        '-',
        '.',
        '\u0000',
        '\ud800',
        '__proto__',
        '--',
        '/*',
        ' between ',
        '\n',
      ],
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 40 }).map((list) => list.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parsePredicate(text);
        } catch (error) {
          assert.ok(error instanceof HoldfastError && error.code === 'predicate-invalid');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
