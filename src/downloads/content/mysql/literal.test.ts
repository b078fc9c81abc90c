import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type LiteralColumn, literalOfText, textOfLiteral } from './literal.ts';
import { countRows, nextRow, RowReader, UnreadableRow } from './row-reader.ts';

const TEXT: LiteralColumn = { isBinary: false, isNumber: false, isGenerated: false };
const BYTES: LiteralColumn = { isBinary: true, isNumber: false, isGenerated: false };
const NUMBER: LiteralColumn = { isBinary: false, isNumber: true, isGenerated: false };

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom("'", '"', '\\', '\n', '\0', '\x1a', ',', ')', '(', ';', '%', '_'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});
const bytes = fc.uint8Array({ maxLength: 40 }).map((each) => `\\x${Buffer.from(each).toString('hex')}`);
const strings = fc.constantFrom("'a'", "'it\\'s'", '"a"', "_utf8mb4 'x'", "_binary 'x'", 'NULL', '17');

describe('values of MySQL', () => {
  it('are read again as they were written, in a row of others', () => {
    fc.assert(
      fc.property(
        text,
        bytes,
        strings,
        strings,
        fc.constantFrom("'a'", "x'00'", '0xAB', "_binary 'x'"),
        (one, two, first, second, third) => {
          const literals = [
            literalOfText(one, first, TEXT, 'utf8'),
            literalOfText(one, second, TEXT, 'latin1'),
            literalOfText(two, third, BYTES, 'utf8'),
          ];
          const statement = Buffer.from(`(${literals.join(',')}),\n(${literals.join(' , ')});`, 'latin1');
          const reader = new RowReader(3, [0, 1, 2]);
          for (let open = 0; open >= 0; ) {
            const end = reader.row(statement, open);
            const found = [0, 1, 2].map((at) =>
              statement.toString('latin1', reader.starts[at], reader.ends[at]).trim(),
            );
            assert.deepEqual(found, literals);
            open = nextRow(statement, end);
          }
          assert.equal(countRows(statement, 0), 2);
          assert.equal(textOfLiteral(literals[0]!, TEXT, 'utf8'), one);
          assert.equal(textOfLiteral(literals[1]!, TEXT, 'latin1'), one);
          assert.equal(textOfLiteral(literals[2]!, BYTES, 'utf8'), two);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('of every kind have the text that transformers are given', () => {
    const cases: [string, LiteralColumn, string | null][] = [
      ['NULL', TEXT, null],
      ['null', TEXT, null],
      ['-1.50e3', NUMBER, '-1.50e3'],
      ['TRUE', NUMBER, '1'],
      ['0x0100', NUMBER, '256'],
      ["b'101'", NUMBER, '5'],
      ["b'101'", BYTES, '\\x05'],
      ["X'00fF'", BYTES, '\\x00ff'],
      ["''", BYTES, '\\x'],
      ["'a\\0\\Z\\%\\q''b'", TEXT, "a\0\x1a\\%q'b"],
      ['"a""b\'"', TEXT, 'a"b\''],
      ["_latin1'\xe9'", TEXT, 'é'],
      ["N'\xc3\xa9'", TEXT, 'é'],
      ["_binary '\xff\\0'", BYTES, '\\xff00'],
    ];
    for (const [literal, column, expected] of cases)
      assert.equal(textOfLiteral(literal, column, 'utf8'), expected, literal);
    assert.equal(textOfLiteral("'\xe9\x80'", TEXT, 'latin1'), 'é€');
  });

  it('keep their kind, and are strings where they cannot', () => {
    const cases: [string | null, string, LiteralColumn, string][] = [
      ['12', '7', NUMBER, '12'],
      ['12', 'NULL', NUMBER, '12'],
      ['12', "'7'", NUMBER, "'12'"],
      ['x; DROP', '7', NUMBER, "'x; DROP'"],
      ['12', "'7'", TEXT, "'12'"],
      ['a', "_utf8mb4 'b'", TEXT, "_utf8mb4 'a'"],
      ['a', "_latin1 'b'", TEXT, "'a'"],
      ['\\xff', '0x00', BYTES, '0xFF'],
      ['\\x', '0x00', BYTES, "''"],
      ['\\xff', "X'00'", BYTES, "x'ff'"],
      [null, "'7'", TEXT, 'NULL'],
    ];
    for (const [value, original, column, expected] of cases)
      assert.equal(literalOfText(value, original, column, 'utf8'), expected);
  });

  it('that are expressions, functions, comments, several strings or of an unknown character set are refused', () => {
    for (const row of [
      '(now())',
      '(1 -- x\n)',
      '(/* x */1)',
      '(@a)',
      '(`a`)',
      '(1;',
      "('a",
      '(1)x',
      '(1) ON DUPLICATE KEY UPDATE a = 1;',
      '(1), x;',
      '(#\n1)',
    ])
      assert.throws(() => countRows(Buffer.from(row), 0), UnreadableRow, row);
    for (const literal of ["'a' 'b'", "_gbk'a'", 'DEFAULT', '1 + 1', "x'f'", '0xg', "'\xff'", "'a' COLLATE x", ''])
      assert.throws(() => textOfLiteral(literal, TEXT, 'utf8'), UnreadableRow, literal);
    assert.throws(() => literalOfText('text', "'a'", BYTES, 'utf8'), UnreadableRow);
    assert.throws(() => literalOfText('漢', "'a'", { ...TEXT, charset: 'latin1' }, 'utf8'), UnreadableRow);
    assert.throws(() => new RowReader(2, []).row(Buffer.from('(1,2,3)'), 0), UnreadableRow);
  });

  it('of many megabytes are read', () => {
    const long = `${"it\\'s ".repeat(1 << 20)}`;
    assert.equal(textOfLiteral(`'${long}'`, TEXT, 'utf8')?.length, 5 << 20);
  });
});
