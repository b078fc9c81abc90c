import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { copyField, copyValue } from './copy-text.ts';

const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\\N',
        '\\.',
        'C:\\New',
        '\\',
        '\t',
        '\n',
        '\r',
        '\b',
        '\f',
        '\v',
        '\x01',
        '\x7f',
        '\\x41',
        '\\101',
        '',
        'ä',
        '😀',
        '\u00a0',
      ),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed());

describe('the text of COPY', () => {
  it('gives every value back that it wrote, and writes it in one field of one line', () => {
    fc.assert(
      fc.property(nasty, (value) => {
        const field = copyField(value);
        assert.equal(copyValue(field), value);
        assert.doesNotMatch(field, /[\t\n\r]/);
        assert.ok([...field].every((each) => each.charCodeAt(0) < 256));
      }),
      { numRuns: 2000 },
    );
  });

  it('tells NULL from what only looks like it', () => {
    assert.equal(copyField(null), '\\N');
    assert.equal(copyValue('\\N'), null);
    assert.equal(copyField('\\N'), '\\\\N');
    assert.equal(copyValue(''), '');
    assert.equal(copyField('\\.'), '\\\\.');
  });

  it('reads octal and hexadecimal escapes, which the server takes although it does not write them', () => {
    assert.equal(copyValue('\\101\\x42\\x4\\303\\244\\q\\08'), 'AB\x04\u00e4q\x008');
  });

  it('refuses the character that PostgreSQL has not', () => {
    assert.throws(() => copyField('a\0b'), /NUL/);
  });
});
