import assert from 'node:assert/strict';
import { createHash, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import { normalised } from './normalisation.ts';
import { base32, Pseudonyms, pseudonym } from './pseudonym.ts';
import { domainKey, variantKey } from './variant-keys.ts';

const MASTER = Buffer.alloc(32, 7);

test('the key of a variant is HKDF-SHA-256 under a name that says each part and its length', () => {
  const info = 'holdfast/variant/v1|4:shop6:masked6:2026H2';
  assert.deepEqual(
    Buffer.from(variantKey(MASTER, { resource: 'shop', variant: 'masked', epoch: '2026H2' })),
    Buffer.from(hkdfSync('sha256', MASTER, '', info, 32)),
  );
});

test('names that look alike when put together give different keys', () => {
  const names = [
    { resource: 'a', variant: 'b', epoch: 'c' },
    { resource: 'a|b', variant: 'c', epoch: '' },
    { resource: 'a', variant: 'b|c', epoch: '' },
    { resource: 'a1:b', variant: 'c', epoch: '' },
    { resource: '', variant: 'a1:b', epoch: 'c' },
    { resource: 'ä', variant: 'b', epoch: 'c' },
  ];
  const keys = names.map((name) => Buffer.from(variantKey(MASTER, name)).toString('hex'));
  assert.equal(new Set([...keys, Buffer.from(domainKey(MASTER, 'a')).toString('hex')]).size, names.length + 1);
});

test('a key that is too short and names that are too long are refused', () => {
  assert.throws(() => variantKey(Buffer.alloc(15), { resource: 'a', variant: 'b', epoch: 'c' }), RangeError);
  assert.throws(() => domainKey(MASTER, 'x'.repeat(2000)), RangeError);
});

test('a pseudonym is the first half of SHA-256 over key, zero byte and value, of values short and long', () => {
  const pseudonyms = new Pseudonyms(MASTER);
  for (const value of ['', 'anna', 'Grüße 😀 李', 'x'.repeat(5000), 'é'.repeat(9000), 'anna']) {
    const expected = createHash('sha256')
      .update(MASTER)
      .update(Buffer.from([0]))
      .update(value)
      .digest()
      .subarray(0, 16);
    assert.deepEqual(pseudonym(MASTER, value), expected);
    assert.deepEqual(Buffer.from(pseudonyms.of(value), 'latin1'), expected);
    assert.equal(pseudonyms.hex(value), expected.toString('hex'));
  }
});

test('all 128 bits are in the 26 characters', () => {
  assert.equal(base32('\0'.repeat(16)), '0'.repeat(26));
  assert.equal(base32('\xff'.repeat(16)), `${'z'.repeat(25)}w`);
  const texts = Array.from({ length: 128 }, (_, bit) => {
    const bytes = Buffer.alloc(16);
    bytes[bit >> 3] = 0x80 >> (bit & 7);
    return base32(bytes.toString('latin1'));
  });
  assert.equal(new Set(texts).size, 128);
});

test('normalising makes one of spellings, and nothing where it is not asked for', () => {
  assert.equal(normalised(' ÄB ', ['trim', 'lower']), 'äb');
  assert.equal(normalised('A\u0308', ['trim']), 'Ä');
  assert.equal(normalised(' A\u0308 ', []), ' A\u0308 ');
});
