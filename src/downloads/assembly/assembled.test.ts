import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { assembled } from './assembled.ts';
import { get, i32, loopWhile, set, unsigned } from './instructions.ts';

const NO_LOCALS = { i32: 0, i64: 0, v128: 0 };

it('assembled functions take and give numbers, of any size', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (constant, given) => {
      const body = i32.add(i32.const(constant), get(0));
      const { functions } = assembled([{ name: 'sum', parameters: 1, locals: NO_LOCALS, hasResult: true, body }], 0);
      assert.equal(functions.sum(given), (constant + given) | 0);
    }),
  );
});

it('assembled functions loop, and write to the memory', () => {
  const place = i32.shiftLeft(get(1), i32.const(2));
  const body = loopWhile(i32.isLess(get(1), get(0)), i32.store(place, get(1)), set(1, i32.add(get(1), i32.const(1))));
  const { memory, functions } = assembled(
    [{ name: 'count', parameters: 1, locals: { ...NO_LOCALS, i32: 1 }, hasResult: false, body }],
    70_000,
  );
  assert.equal(memory.byteLength, 2 << 16);
  functions.count(5);
  assert.deepEqual([...new Int32Array(memory, 0, 6)], [0, 1, 2, 3, 4, 0]);
});

it('numbers are written as LEB128', () => {
  assert.deepEqual([0, 127, 128, 624_485].map(unsigned), [[0], [0x7f], [0x80, 1], [0xe5, 0x8e, 0x26]]);
});
