import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compressionOf, encryptionOf } from './detection.ts';

test('encryption is seen by the first bytes, in all forms that gpg writes', () => {
  const starts: [Uint8Array, string][] = [
    [Uint8Array.of(0x8c, 0x0d, 0x04, 0x09), 'gpg'],
    [Uint8Array.of(0xc3, 0x0d, 0x04, 0x09), 'gpg'],
    [Uint8Array.of(0x85, 0x01, 0x8c, 0x03), 'gpg'],
    [Uint8Array.of(0xc1, 0xc0, 0x4c, 0x03), 'gpg'],
    [Uint8Array.of(0xc1, 0x5e, 0x03, 0x01), 'gpg'],
    [Buffer.from('-----BEGIN PGP MESSAGE-----\n'), 'gpg'],
    [Buffer.from('age-encryption.org/v1\n-> X25519'), 'age'],
    [Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\n'), 'age'],
    [Buffer.from('Salted__12345678'), 'openssl'],
    // A literal message: OpenPGP, but not encrypted.
    [Uint8Array.of(0xcb, 0x0d, 0x62, 0x00), 'none'],
    [Buffer.from('PGDMP'), 'none'],
    [Buffer.from('SQLite format 3\0'), 'none'],
    [Uint8Array.of(0x1f, 0x8b, 0x08), 'none'],
    [Uint8Array.of(), 'none'],
    [Uint8Array.of(0x8c), 'none'],
  ];
  for (const [head, encryption] of starts)
    assert.equal(encryptionOf(head), encryption, Buffer.from(head).toString('hex'));
});

test('text of any language is taken neither for encrypted nor for compressed', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text));
  fc.assert(
    fc.property(word, (text) => {
      const head = Buffer.from(text);
      assert.equal(encryptionOf(head), 'none');
      assert.equal(compressionOf(head), 'none');
    }),
  );
  assert.equal(compressionOf(Buffer.from('BZh9 is how bzip2 begins')), 'none');
});
