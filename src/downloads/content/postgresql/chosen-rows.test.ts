import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TableSelection } from '../../masking/row-selection.ts';
import { chosenBlock } from './chosen-block.ts';
import { type BlockOfChosen, ChosenRows } from './chosen-rows.ts';

describe('the choosing of rows of a COPY', () => {
  it('takes the chosen ones with their ordinals and counts all, wherever the rows and the pieces are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ text: fc.string({ unit: 'grapheme' }), isChosen: fc.boolean() }), { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        fc.nat({ max: 20 }),
        (rows, sizes, before) => {
          const lines = rows.map(({ text }) => `${text.replaceAll(/[\\\t\n\r\0]/g, '_')}\n`);
          const chosen = new Set(rows.flatMap(({ isChosen }, at) => (isChosen ? [before + at] : [])));
          const found = inPieces(
            new ChosenRows('t', selectionOf(before + rows.length, chosen), before),
            lines.join(''),
            sizes,
            before,
          );
          assert.deepEqual(found.ordinals, [...chosen]);
          assert.equal(found.text, lines.filter((_, at) => chosen.has(before + at)).join(''));
          assert.equal(found.rows, rows.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives blocks of a bounded size of rows that are long or many', () => {
    const lines = Array.from({ length: 3000 }, (_, at) => `${at} ${'x'.repeat(at % 10 === 0 ? 2000 : 100)}\n`);
    const all = new Set(lines.keys());
    const { text, sizes } = inPieces(new ChosenRows('t', selectionOf(3000, all), 0), lines.join(''), [65_536]);
    assert.equal(text, lines.join(''));
    assert.ok(sizes.length > 3 && sizes.every((size) => size < 200 << 10), `${sizes}`);
  });

  it('refuses rows that are no UTF-8 or hold the character NUL, rows whose ends are not certain and more rows than were chosen of, chosen or not', () => {
    const fault =
      (bytes: Buffer, rows = 2) =>
      () => {
        const chosen = new ChosenRows('t', selectionOf(rows, new Set()), 0);
        return [...chosen.push(bytes)];
      };
    assert.throws(fault(Buffer.from('a\n\xff\n', 'latin1')), { code: 'variant-failed', message: /UTF-8/ });
    assert.throws(fault(Buffer.from('a\nb\0\n')), { code: 'variant-failed', message: /NUL/ });
    assert.throws(fault(Buffer.from('a\\\nb\n')), { code: 'variant-failed', message: /behind a backslash/ });
    assert.throws(fault(Buffer.from('a\r\nb\n')), { code: 'variant-failed', message: /carriage return/ });
    assert.throws(fault(Buffer.from('a\nb\nc\n')), { code: 'variant-failed', message: /number of rows/ });
    assert.deepEqual(fault(Buffer.from('a\nb\n'))(), []);
  });
});

function selectionOf(rows: number, chosen: ReadonlySet<number>): TableSelection {
  const kept = new Uint8Array(new SharedArrayBuffer(Math.ceil(rows / 8)));
  for (const row of chosen) kept[row >> 3] = kept[row >> 3]! | (1 << (row & 7));
  return { rows, kept, cut: [] };
}

function inPieces(chosen: ChosenRows, text: string, sizes: readonly number[], before = 0) {
  const bytes = Buffer.from(text);
  const blocks: BlockOfChosen[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const size = sizes[piece % sizes.length]!;
    blocks.push(...chosen.push(bytes.subarray(at, at + size)));
    at += size;
  }
  const rest = chosen.rest();
  if (rest !== undefined) blocks.push(rest);
  let first = before;
  const read = blocks.map(({ bytes: block, span }) => {
    const found = { ...chosenBlock(Buffer.from(block.buffer)), bytes: block, first };
    assert.equal(found.span, span);
    first += span;
    return found;
  });
  return {
    ordinals: read.flatMap(({ places, first }) => [...places].map((place) => first + place)),
    text: Buffer.concat(read.map(({ rows }) => rows)).toString(),
    rows: read.reduce((sum, { span }) => sum + span, 0),
    sizes: read.map(({ bytes: { length } }) => length),
  };
}
