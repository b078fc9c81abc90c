import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { largerBlocks } from './larger-blocks.ts';

test('blocks hold all bytes in order, and all but the last are full', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.integer({ min: 1, max: 64 }),
      async (given, size) => {
        async function* source(): AsyncGenerator<Uint8Array> {
          yield* given;
        }
        const blocks: Buffer[] = [];
        for await (const block of largerBlocks(source(), size)) blocks.push(Buffer.from(block));
        assert.deepEqual(Buffer.concat(blocks), Buffer.concat(given));
        assert.ok(blocks.slice(0, -1).every(({ length }) => length === size));
        assert.ok(blocks.every(({ length }) => length > 0));
      },
    ),
  );
});
