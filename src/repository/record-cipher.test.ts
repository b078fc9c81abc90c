import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { CIPHER_CBC_HMAC, CIPHER_GCM, CIPHER_NONE, createRecordCipher, type RecordCipher } from './record-cipher.ts';
import { ReusedMemory } from './reused-memory.ts';

const SECRET = createSecretKey(Buffer.alloc(32, 1));
const SALT = Buffer.alloc(32, 2);
const NAMES = new Map([
  [CIPHER_NONE, 'no cipher'],
  [CIPHER_GCM, 'AES-256-GCM'],
  [CIPHER_CBC_HMAC, 'AES-256-CBC with HMAC'],
]);

function cipherOf(number: number, changes: { salt?: Buffer; purpose?: string } = {}): RecordCipher {
  return createRecordCipher(number, SECRET, changes.salt ?? SALT, changes.purpose ?? 'test');
}

function seal(cipher: RecordCipher, ordinal: number, associated: Uint8Array, parts: readonly Uint8Array[]): Buffer {
  const output = Buffer.alloc(cipher.sealedLength(Buffer.concat(parts).length));
  assert.equal(cipher.seal(ordinal, associated, parts, output, 0), output.length);
  return output;
}

for (const [number, name] of NAMES) {
  describe(name, () => {
    const cipher = cipherOf(number);

    test('opens what it sealed, in however many parts, and says beforehand how long it is', () => {
      fc.assert(
        fc.property(
          fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }),
          fc.nat(0xffffffff),
          fc.uint8Array({ maxLength: 80 }),
          (parts, ordinal, associated) => {
            const sealed = seal(cipher, ordinal, associated, parts);
            assert.ok(cipher.open(ordinal, associated, sealed).equals(Buffer.concat(parts)));
            assert.ok(cipher.opensTo(ordinal, associated, sealed, parts));
          },
        ),
        RUNS,
      );
    });

    test('seals more than one slice of its input', () => {
      const plain = randomBytes(300_000);
      const sealed = seal(cipher, 3, SALT, [plain.subarray(0, 7), plain.subarray(7)]);
      assert.ok(cipher.open(3, SALT, sealed).equals(plain));
      assert.ok(cipher.opensTo(3, SALT, sealed, [plain]));
      assert.equal(cipher.opensTo(3, SALT, sealed, [plain.subarray(0, -1)]), false);
    });

    test('opens to memory that is used again and again, and leaves what it gives without memory alone', () => {
      const memory = new ReusedMemory();
      const kept = randomBytes(280_000);
      const own = cipher.open(0, SALT, seal(cipher, 0, SALT, [kept]));
      for (const length of [300_000, 0, 5, 131_072, 400_000]) {
        const plain = randomBytes(length);
        const sealed = seal(cipher, 1, SALT, [plain]);
        assert.ok(cipher.open(1, SALT, sealed, memory).equals(plain));
        assert.ok(cipher.opensTo(1, SALT, sealed, [plain]));
      }
      assert.ok(own.equals(kept));
    });

    test('opensTo is false for any other plain bytes', () => {
      const plain = Buffer.from('some plain bytes');
      const sealed = seal(cipher, 1, SALT, [plain]);
      fc.assert(
        fc.property(mutationsOf(plain), (other) => assert.equal(cipher.opensTo(1, SALT, sealed, [other]), false)),
        RUNS,
      );
    });
  });
}

for (const number of [CIPHER_GCM, CIPHER_CBC_HMAC]) {
  describe(`${NAMES.get(number)} does not open`, () => {
    const cipher = cipherOf(number);
    const plain = Buffer.from('forty-two bytes that nobody else may see.');
    const associated = Buffer.from('where it belongs');
    const sealed = seal(cipher, 5, associated, [plain]);

    test('bytes of which any was changed, cut or added', () => {
      fc.assert(
        fc.property(mutationsOf(sealed), (mutated) =>
          assert.equal(errorOf(() => cipher.open(5, associated, mutated))?.code, 'record-forged'),
        ),
        RUNS,
      );
      const memory = new ReusedMemory();
      fc.assert(
        fc.property(mutationsOf(sealed), (mutated) =>
          assert.equal(errorOf(() => cipher.open(5, associated, mutated, memory))?.code, 'record-forged'),
        ),
        RUNS,
      );
      for (let at = 0; at < sealed.length; at++) {
        const flipped = Buffer.from(sealed);
        flipped[at] = flipped[at]! ^ 0x80;
        assert.equal(errorOf(() => cipher.open(5, associated, flipped))?.kind, 'damaged');
      }
    });

    test('anything at another place, under another key or for another purpose', () => {
      const attempts = [
        () => cipher.open(6, associated, sealed),
        () => cipher.open(5, Buffer.from('where it does not'), sealed),
        () => cipherOf(number, { salt: Buffer.alloc(32, 3) }).open(5, associated, sealed),
        () => cipherOf(number, { purpose: 'other' }).open(5, associated, sealed),
        () => cipherOf(number === CIPHER_GCM ? CIPHER_CBC_HMAC : CIPHER_GCM).open(5, associated, sealed),
        () => cipher.open(5, associated, Buffer.alloc(0)),
      ];
      for (const attempt of attempts) assert.equal(errorOf(attempt)?.code, 'record-forged');
    });

    test('opensTo tells forged bytes without throwing or says that they are forged', () => {
      fc.assert(
        fc.property(mutationsOf(sealed), (mutated) => {
          let opens = false;
          const error = errorOf(() => {
            opens = cipher.opensTo(5, associated, mutated, [plain]);
          });
          assert.ok(!opens && (error === undefined || error.code === 'record-forged'));
        }),
        RUNS,
      );
    });
  });
}

test('the same bytes never look the same under AES-256-CBC, nor under two ordinals of AES-256-GCM', () => {
  const plain = Buffer.alloc(64);
  const cbc = cipherOf(CIPHER_CBC_HMAC);
  const gcm = cipherOf(CIPHER_GCM);
  assert.ok(!seal(cbc, 1, SALT, [plain]).equals(seal(cbc, 1, SALT, [plain])));
  assert.ok(!seal(gcm, 1, SALT, [plain]).equals(seal(gcm, 2, SALT, [plain])));
});

test('an unknown cipher is unsupported, not damaged', () => {
  assert.equal(errorOf(() => cipherOf(7))?.kind, 'unsupported');
});
