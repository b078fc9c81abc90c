import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { assembled, assembledIfPossible } from './assembled.ts';
import { get, i32, loopWhile, set, unsigned, v128 } from './instructions.ts';

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

it('assembled functions do with sixteen bytes what they do with each four of them', () => {
  const words = fc.array(fc.integer(), { minLength: 4, maxLength: 4 });
  const [at, factor] = [0, 0x9e3779b1 | 0];
  const body = v128.store(
    get(at),
    v128.xor(
      v128.multiplyWords(v128.load(get(at)), v128.eachWord(factor)),
      v128.shiftWordsRight(v128.load(get(at), 16), i32.const(17)),
    ),
    32,
  );
  const { memory, functions } = assembled(
    [{ name: 'mix', parameters: 1, locals: NO_LOCALS, hasResult: false, body }],
    1,
  );
  fc.assert(
    fc.property(words, words, fc.nat(100), (one, other, begin) => {
      const found = new DataView(memory, begin);
      for (const [index, word] of [...one, ...other].entries()) found.setInt32(4 * index, word, true);
      functions.mix(begin);
      for (const [index, word] of one.entries())
        assert.equal(found.getInt32(32 + 4 * index, true), Math.imul(word, factor) ^ (other[index]! >>> 17));
    }),
  );
});

describe('where a machine cannot run them', () => {
  const platform = Reflect.get(globalThis, 'WebAssembly');
  afterEach(() => Reflect.defineProperty(globalThis, 'WebAssembly', { value: platform, configurable: true }));
  const nothing = { name: 'nothing', parameters: 0, locals: NO_LOCALS, hasResult: false, body: [] };
  const failing = (error: Error) =>
    class {
      constructor() {
        throw error;
      }
    };

  for (const { what, replaced, name } of [
    { what: 'no WebAssembly', replaced: undefined, name: 'ReferenceError' },
    {
      what: 'no instructions for sixteen bytes',
      replaced: { ...members(platform), Module: failing(new platform.CompileError('Wasm SIMD unsupported')) },
      name: 'CompileError',
    },
    {
      what: 'no memory',
      replaced: { ...members(platform), Instance: failing(new RangeError('could not allocate memory')) },
      name: 'RangeError',
    },
  ])
    it(`with ${what}, who needs them fails, and who does not is told`, () => {
      Reflect.deleteProperty(globalThis, 'WebAssembly');
      if (replaced !== undefined)
        Reflect.defineProperty(globalThis, 'WebAssembly', { value: replaced, configurable: true });
      assert.throws(() => assembled([nothing], 1), { name });
      assert.equal(assembledIfPossible([nothing], 1), undefined);
    });

  it('another error is not taken for that', () => {
    const value = { ...members(platform), Module: failing(new TypeError('of a mistake')) };
    Reflect.defineProperty(globalThis, 'WebAssembly', { value, configurable: true });
    assert.throws(() => assembledIfPossible([nothing], 1), TypeError);
  });
});

function members({ Module, Instance }: Record<string, unknown>): object {
  return { Module, Instance };
}
