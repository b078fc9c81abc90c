import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ff1 } from './ff1.ts';

const KEY_128 = '2b7e151628aed2a6abf7158809cf4f3c';
const KEY_192 = `${KEY_128}ef4359d8d580aa4f`;
const KEY_256 = `${KEY_192}7f036d6f04fc6a94`;
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** "FF1 samples" of NIST's cryptographic standards and guidelines, all nine. */
const SAMPLES: readonly [key: string, radix: number, tweak: string, plain: string, cipher: string][] = [
  [KEY_128, 10, '', '0123456789', '2433477484'],
  [KEY_128, 10, '39383736353433323130', '0123456789', '6124200773'],
  [KEY_128, 36, '3737373770717273373737', '0123456789abcdefghi', 'a9tv40mll9kdu509eum'],
  [KEY_192, 10, '', '0123456789', '2830668132'],
  [KEY_192, 10, '39383736353433323130', '0123456789', '2496655549'],
  [KEY_192, 36, '3737373770717273373737', '0123456789abcdefghi', 'xbj3kv35jrawxv32ysr'],
  [KEY_256, 10, '', '0123456789', '6657667009'],
  [KEY_256, 10, '39383736353433323130', '0123456789', '1001623463'],
  [KEY_256, 36, '3737373770717273373737', '0123456789abcdefghi', 'xs8a0azh2avyalyzuwd'],
];

for (const [index, [key, radix, tweak, plain, cipher]] of SAMPLES.entries()) {
  test(`FF1 gives what NIST published as sample ${index + 1}`, () => {
    const ff1 = new Ff1(Buffer.from(key, 'hex'), radix, plain.length, Buffer.from(tweak, 'hex'));
    const encrypted = ff1.encrypt([...plain].map((digit) => DIGITS.indexOf(digit)));
    assert.equal(encrypted.map((numeral) => DIGITS[numeral]).join(''), cipher);
  });
}

test('numbers and big integers give the same, on both sides of where one takes over from the other', () => {
  const key = Buffer.from(KEY_256, 'hex');
  for (const length of [6, 7, 15, 21, 22]) {
    const ff1 = new Ff1(key, 10, length, Buffer.from('tweak'));
    assert.equal(ff1.isNumeric, true);
    const plain = Array.from({ length }, (_, index) => (index * 7) % 10);
    const [left, right] = ff1.encryptLargeHalves(
      BigInt(plain.slice(0, ff1.left).join('')),
      BigInt(plain.slice(ff1.left).join('')),
    );
    const large = String(left).padStart(ff1.left, '0') + String(right).padStart(ff1.right, '0');
    assert.equal(ff1.encrypt(plain).join(''), large);
  }
  assert.equal(new Ff1(key, 10, 23, Buffer.alloc(0)).isNumeric, false);
});

test('a domain of fewer than 1,000,000 values is refused', () => {
  const key = Buffer.from(KEY_128, 'hex');
  assert.throws(() => new Ff1(key, 10, 5, Buffer.alloc(0)), RangeError);
  assert.throws(() => new Ff1(key, 2, 19, Buffer.alloc(0)), RangeError);
  assert.ok(new Ff1(key, 10, 6, Buffer.alloc(0)));
  assert.ok(new Ff1(key, 2, 20, Buffer.alloc(0)));
});

test('numbers of six digits become other numbers of six digits, no two the same', () => {
  const ff1 = new Ff1(Buffer.from(KEY_256, 'hex'), 10, 6, Buffer.alloc(0));
  const seen = new Set<number>();
  for (let value = 0; value < 20_000; value++) {
    const [left, right] = ff1.encryptHalves(Math.floor(value / 1000), value % 1000);
    assert.ok(left >= 0 && left < 1000 && right >= 0 && right < 1000);
    seen.add(left * 1000 + right);
  }
  assert.equal(seen.size, 20_000);
});
