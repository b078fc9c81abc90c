import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClassPermutation } from './class-permutation.ts';
import { SMALLEST_DOMAIN } from './ff1.ts';
import { IntegerPermutation } from './integer-permutation.ts';
import { PrefixPermutation } from './prefix-permutation.ts';
import { SymbolPermutation } from './symbol-permutation.ts';

const KEY = Buffer.alloc(32, 3);

test('a small permutation gives each number once, and none to itself', () => {
  for (const size of [2, 3, 10, 127, 10_000]) {
    const permutation = new IntegerPermutation(KEY, BigInt(size), 'test');
    const outputs = Array.from({ length: size }, (_, value) => permutation.ofNumber(value));
    assert.deepEqual(
      [...outputs].sort((one, other) => one - other),
      [...outputs.keys()],
    );
    assert.ok(outputs.every((output, value) => output !== value));
  }
  assert.equal(new IntegerPermutation(KEY, 1n, 'test').ofNumber(0), 0);
});

test('a large permutation stays within its size, also where that is just above a power of two, and gives no number twice', () => {
  const sizes = [SMALLEST_DOMAIN, 2 ** 20 + 1, 2 ** 31, 2 ** 52].map(BigInt);
  for (const size of [...sizes, 2n ** 52n + 1n, 2n ** 63n, 10n ** 30n]) {
    const permutation = new IntegerPermutation(KEY, size, 'test');
    const outputs = Array.from({ length: 300 }, (_, index) =>
      permutation.of(index % 2 === 0 ? BigInt(index) : size - BigInt(index)),
    );
    assert.equal(new Set(outputs).size, outputs.length);
    assert.ok(outputs.every((output) => output >= 0n && output < size));
  }
});

test('names, sizes and keys have permutations of their own', () => {
  const outputs = [
    new IntegerPermutation(KEY, 2n ** 31n, 'one'),
    new IntegerPermutation(KEY, 2n ** 31n, 'other'),
    new IntegerPermutation(KEY, 2n ** 31n - 1n, 'one'),
    new IntegerPermutation(Buffer.alloc(32, 4), 2n ** 31n, 'one'),
  ].map((permutation) => permutation.ofNumber(12_345));
  assert.equal(new Set(outputs).size, 4);
});

test('strings of symbols keep their length and alphabets, and all strings of a small domain come out once', () => {
  const permutation = new SymbolPermutation(KEY);
  const seen = new Set<string>();
  for (let a = 0; a < 7; a++)
    for (let b = 0; b < 13; b++) for (let c = 0; c < 4; c++) seen.add(permutation.of([a, b, c], [7, 13, 4]).join());
  assert.equal(seen.size, 7 * 13 * 4);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(65_535), fc.integer({ min: 2, max: 65_536 })), { maxLength: 100 }),
      (places) => {
        const radixes = places.map(([, radix]) => radix);
        const output = permutation.of(
          places.map(([symbol, radix]) => symbol % radix),
          radixes,
        );
        assert.equal(output.length, places.length);
        assert.ok(output.every((symbol, index) => symbol >= 0 && symbol < (radixes[index] ?? 0)));
      },
    ),
    { numRuns: 60 },
  );
});

test('long texts that differ in one character differ afterwards, wherever it is', () => {
  const permutation = new ClassPermutation(KEY);
  const text = '0123456789'.repeat(13);
  const outputs = [
    text,
    ...Array.from({ length: text.length }, (_, at) => `${text.slice(0, at)}x${text.slice(at + 1)}`),
  ].map((value) => permutation.of(value));
  assert.equal(new Set(outputs).size, outputs.length);
  assert.match(permutation.of(text), /^\d{130}$/);
});

test('letters keep script and case, digits stay digits, and all else stays', () => {
  const permutation = new ClassPermutation(KEY);
  const classes: readonly (readonly [string, RegExp])[] = [
    ['aB3-\t€😀', /^[a-z][A-Z]\d-\t€😀$/u],
    ['Ünïcödé', /^[À-Þ][a-z][à-ÿ][a-z][à-ÿ][a-z][à-ÿ]$/],
    ['e\u0301', /^[a-z][\u0300-\u036f]$/],
    ['ελλάς', /^\p{Script=Greek}{5}$/u],
    ['Москва', /^\p{Lu}\p{Ll}{5}$/u],
    ['李小龍', /^\p{Script=Han}{3}$/u],
    ['서울', /^\p{Script=Hangul}{2}$/u],
    ['שלום', /^\p{Script=Hebrew}{4}$/u],
    ['ひらカタ', /^\p{Script=Hiragana}{2}\p{Script=Katakana}{2}$/u],
    ['', /^$/],
  ];
  for (const [text, expected] of classes) {
    const masked = permutation.of(text);
    assert.match(masked, expected);
    if (text !== '') assert.notEqual(masked, text);
  }
});

test('a letter of a script without an alphabet, a fraction and half of a pair are not passed on', () => {
  const permutation = new ClassPermutation(KEY);
  for (const text of ['ꓘ', '𐍈', '\ud800', '½', 'Ⅷ']) assert.throws(() => permutation.of(text), RangeError, text);
});

test('addresses that share a prefix share one of the same length afterwards', () => {
  for (const length of [4, 16]) {
    const permutation = new PrefixPermutation(KEY);
    const bytes = fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes, bytes, fc.nat(length), (one, other, same) => {
        const related = Uint8Array.from(other);
        related.set(one.subarray(0, same));
        assert.equal(sharedBits(permutation.of(one), permutation.of(related)), sharedBits(one, related));
      }),
    );
  }
});

function sharedBits(one: Uint8Array, other: Uint8Array): number {
  const bits = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const [left, right] = [bits(one), bits(other)];
  let shared = 0;
  while (shared < left.length && left[shared] === right[shared]) shared++;
  return shared;
}

test('text of ever other forms does not fill the memory', () => {
  const permutation = new ClassPermutation(KEY);
  const letters = [...'7cåûÛГגγふグ'];
  const before = process.memoryUsage.rss();
  for (let form = 0; form < 200; form++) {
    const places = Array.from(
      { length: 6 },
      (_, place) => letters[Math.floor(form * 7.3 ** place) % letters.length] ?? '7',
    );
    for (let index = 0; index < 100; index++) {
      permutation.of(
        places.map((letter, place) => String.fromCodePoint(letter.charCodeAt(0) - ((index >> place) % 3))).join(''),
      );
    }
  }
  assert.ok(process.memoryUsage.rss() - before < 128 * 2 ** 20);
});
