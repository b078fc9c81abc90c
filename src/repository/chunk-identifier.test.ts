import assert from 'node:assert/strict';
import { createHmac, createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { RUNS } from '../../test/mutated-bytes.ts';
import { ChunkIdentifier } from './chunk-identifier.ts';

const KEY = Buffer.alloc(32, 4);

test('a chunk is named by the HMAC of its bytes under the repository’s key, and by nothing else', () => {
  const identifier = new ChunkIdentifier(createSecretKey(KEY));
  const other = new ChunkIdentifier(createSecretKey(Buffer.alloc(32, 5)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (a, b) => {
      const id = identifier.identify(a);
      assert.ok(id.equals(createHmac('sha256', KEY).update(a).digest()));
      assert.ok(identifier.matches(id, a));
      assert.equal(identifier.matches(id, b), Buffer.compare(a, b) === 0);
      assert.ok(!other.matches(id, a));
    }),
    RUNS,
  );
});
