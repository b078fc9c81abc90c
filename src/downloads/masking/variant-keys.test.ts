import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import { AesCmac } from './aes-cmac.ts';
import { viewed } from './byte-values.ts';
import { normalised } from './normalisation.ts';
import { base32, Pseudonyms, writeHex } from './pseudonym.ts';
import { domainKey, purposeKey, variantKey } from './variant-keys.ts';

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

test('a pseudonym is the AES-256-CMAC of the value in UTF-8, of values short and long', () => {
  const cmac = new AesCmac(purposeKey(MASTER, 'pseudonym'));
  const pseudonyms = new Pseudonyms(MASTER);
  for (const value of ['', 'anna', 'Grüße 😀 李', 'x'.repeat(5000), 'é'.repeat(9000), 'anna']) {
    const [bytes, expected] = [Buffer.from(value), new Uint8Array(16)];
    cmac.tag(bytes, 0, bytes.length, expected, 0);
    assert.deepEqual(pseudonyms.of(value), expected);
    assert.deepEqual(pseudonyms.ofBytes(bytes, 0, bytes.length), expected);
    const all = new Uint8Array(16);
    pseudonyms.ofAll({ ...viewed(bytes), starts: Int32Array.of(0), ends: Int32Array.of(bytes.length), count: 1 }, all);
    assert.deepEqual(all, expected);
  }
});

test('all 128 bits are in the 26 characters, and in the 32 figures', () => {
  assert.equal(base32(new Uint8Array(16)), '0'.repeat(26));
  assert.equal(base32(new Uint8Array(16).fill(255)), `${'z'.repeat(25)}w`);
  const each = Array.from({ length: 128 }, (_, bit) => {
    const bytes = Buffer.alloc(16);
    bytes[bit >> 3] = 0x80 >> (bit & 7);
    return bytes;
  });
  assert.equal(new Set(each.map(base32)).size, 128);
  for (const bytes of each) {
    const out = Buffer.alloc(32);
    assert.equal(writeHex(bytes, 0, out, 0, 32), 32);
    assert.equal(out.toString(), bytes.toString('hex'));
  }
});

test('normalising makes one of spellings, and nothing where it is not asked for', () => {
  assert.equal(normalised(' ÄB ', ['trim', 'lower']), 'äb');
  assert.equal(normalised('A\u0308', ['trim']), 'Ä');
  assert.equal(normalised(' A\u0308 ', []), ' A\u0308 ');
});
