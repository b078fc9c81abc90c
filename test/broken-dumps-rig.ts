import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';
import { RowFault } from '../src/downloads/masking/row-fault.ts';

export interface BrokenDumps {
  /** What stays whole; the rest is broken in one place. */
  head: string;
  /** With originals that have the word SECRET, in a column that is masked. */
  scripts: readonly string[];
  /** What may come into them. */
  fragments: readonly string[];
  /** @param size of the pieces in which the dump comes */
  masked(dump: Buffer, size: number): Promise<string>;
}

/** Fails where an original value is given or told of: each dump is refused, or masked as it is read. */
export async function assertNothingLeaks({ head, scripts, fragments, masked }: BrokenDumps): Promise<void> {
  let given = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...scripts),
      // More at once could move a value into another column, for the server too.
      fc.tuple(fc.nat(), fc.nat(1), fc.constantFrom(...fragments)),
      fc.integer({ min: 1, max: 90 }),
      async (script, [place, removed, fragment], size) => {
        const at = place % script.length;
        const broken = script.slice(0, at) + fragment + script.slice(at + removed);
        const text = await masked(Buffer.from(head + broken), size).catch((error: unknown) => {
          assert.ok(error instanceof RowFault || error instanceof HoldfastError, String(error));
          assert.doesNotMatch(error.message, /SECRET/);
          return undefined;
        });
        if (text === undefined) return;
        given++;
        assert.doesNotMatch(text, /SECRET/);
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(given > 100, `${given}`);
}
