import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { copyField } from './copy-text.ts';
import { FoundFields } from './found-fields.ts';

const value = fc.option(fc.oneof(fc.integer().map(String), fc.bigInt().map(String), fc.string({ unit: 'grapheme' })));

it('finds the wanted fields of each row, in any order of columns, and numbers where they are plain', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }).chain((columns) =>
        fc.record({
          rows: fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 20 }),
          wanted: fc.array(fc.nat({ max: columns - 1 }), { maxLength: 4 }),
        }),
      ),
      ({ rows, wanted }) => {
        const given = rows.map((row) => row.map((each) => each?.replaceAll('\0', '').toWellFormed() ?? null));
        const text = given.map((row) => `${row.map(copyField).join('\t')}\n`).join('');
        const fields = new FoundFields(given[0]!.length, wanted);
        let from = 0;
        const length = fields.begin(Buffer.from(text, 'latin1'));
        for (const row of given) {
          from = fields.next(from);
          for (const [index, column] of wanted.entries()) {
            const expected = row[column]!;
            assert.equal(fields.value(index), expected);
            const number = fields.integer(index);
            if (number !== undefined) assert.equal(number, Number(expected));
            else assert.ok(expected === null || !/^-?\d{1,15}$/.test(expected), `${expected}`);
          }
        }
        assert.equal(from, length);
      },
    ),
    { numRuns: 300 },
  );
});

it('refuses a row that ends before a wanted field', () => {
  const fields = new FoundFields(3, [2]);
  fields.begin(Buffer.from('1\t2\n3\t4\t5\n'));
  assert.throws(() => fields.next(0), /fewer fields than the 3/);
});
