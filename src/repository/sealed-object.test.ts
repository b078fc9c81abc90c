import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { CIPHER_CBC_HMAC, CIPHER_GCM, CIPHER_NONE, type CipherId } from './record-cipher.ts';
import { isPlainObject, openObject, SEALED_KIND, sealObject, singleKey } from './sealed-object.ts';

const KEYS = singleKey('00112233445566778899aabbccddeeff', createSecretKey(Buffer.alloc(32, 9)));
const NAME = 'snapshots/backup-1';
const CODECS = [
  { name: 'raw', level: 0 },
  { name: 'gzip', level: 6 },
  { name: 'zstd', level: 3 },
] as const;

function sealed(cipher: CipherId, plain: Uint8Array, codec: (typeof CODECS)[number] = CODECS[2]): Buffer {
  return sealObject(KEYS, plain, { kind: SEALED_KIND.snapshot, name: NAME, cipher, codec });
}
function open(bytes: Uint8Array): Uint8Array {
  return openObject(KEYS, bytes, { kind: SEALED_KIND.snapshot, name: NAME });
}

for (const [cipher, name] of [
  [CIPHER_NONE, 'without encryption'],
  [CIPHER_GCM, 'under AES-256-GCM'],
  [CIPHER_CBC_HMAC, 'under AES-256-CBC with HMAC'],
] as const) {
  describe(`an object ${name}`, () => {
    const plain = Buffer.from('{"a":"text that repeats, text that repeats, text that repeats, text that repeats"}');
    const bytes = sealed(cipher, plain);

    test('opens to what was sealed, with every codec and of every length', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 500 }), fc.constantFrom(...CODECS), (content, codec) => {
          assert.equal(Buffer.compare(open(sealed(cipher, content, codec)), content), 0);
        }),
        RUNS,
      );
    });

    test('does not open when any byte of it is another, its version apart, nor when it is cut or longer', () => {
      for (let at = 0; at < bytes.length; at++) {
        if (at === 4) continue;
        const flipped = Buffer.from(bytes);
        flipped[at] = flipped[at]! ^ 0x40;
        const error = errorOf(() => open(flipped));
        // An unknown cipher cannot be told from a newer program's.
        assert.equal(error?.kind, at === 6 ? 'unsupported' : 'damaged', `byte ${at}`);
        if (at !== 6) assert.equal(error?.details.object, NAME);
      }
      fc.assert(
        fc.property(mutationsOf(bytes), (mutated) => {
          assert.match(errorOf(() => open(mutated))?.kind ?? 'none', /^(damaged|unsupported)$/);
        }),
        RUNS,
      );
    });

    test('does not pass for another object, another kind or another repository’s', () => {
      const { snapshot, trash } = SEALED_KIND;
      const other = singleKey('ff112233445566778899aabbccddeeff', createSecretKey(Buffer.alloc(32, 9)));
      const attempts = [
        () => openObject(KEYS, bytes, { kind: snapshot, name: 'snapshots/backup-2' }),
        () => openObject(KEYS, bytes, { kind: trash, name: NAME }),
        () => openObject(other, bytes, { kind: snapshot, name: NAME }),
        () =>
          openObject(singleKey(KEYS.repositoryId, createSecretKey(Buffer.alloc(32, 8))), bytes, {
            kind: snapshot,
            name: NAME,
          }),
      ];
      for (const attempt of attempts) assert.equal(errorOf(attempt)?.code, 'object-damaged');
    });

    test('of a newer version is unsupported, whatever follows', () => {
      const newer = Buffer.from(bytes);
      newer[4] = 2;
      assert.equal(errorOf(() => open(newer))?.code, 'format-newer');
      assert.equal(errorOf(() => open(Buffer.concat([newer.subarray(0, 8), randomBytes(100)])))?.kind, 'unsupported');
    });

    test('says whether it lies in the clear', () => {
      assert.equal(isPlainObject(bytes), cipher === CIPHER_NONE);
      assert.equal(bytes.includes('text that repeats'), cipher === CIPHER_NONE);
    });
  });
}

test('random bytes are never opened and never crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(errorOf(() => open(bytes))?.kind, 'damaged');
    }),
    RUNS,
  );
});
