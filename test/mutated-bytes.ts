import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';

/** Runs of a property over random input: enough to find what is there to find, in tens of milliseconds. */
export const RUNS = { numRuns: 150 };

/** Copies of `bytes` with a flipped bit, a cut end, something inserted, or something overwritten. Never equal to `bytes`. */
export function mutationsOf(bytes: Uint8Array): fc.Arbitrary<Buffer> {
  const position = fc.nat(bytes.length - 1);
  return fc
    .oneof(
      fc.tuple(position, fc.nat(7)).map(([at, bit]) => {
        const copy = Buffer.from(bytes);
        copy[at] = copy[at]! ^ (1 << bit);
        return copy;
      }),
      position.map((end) => Buffer.from(bytes.subarray(0, end))),
      fc
        .tuple(fc.nat(bytes.length), fc.uint8Array({ minLength: 1, maxLength: 8 }))
        .map(([at, inserted]) => Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)])),
      fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([at, over]) => {
        const copy = Buffer.from(bytes);
        copy.set(over.subarray(0, bytes.length - at), at);
        return copy;
      }),
    )
    .filter((copy) => !copy.equals(bytes));
}

/** Does `work`; @returns the HoldfastError that it ended with, or undefined. Any other error is thrown on. */
export function errorOf(work: () => unknown): HoldfastError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}
