import type fc from 'fast-check';
import type { ErrorKind } from '../../src/core/errors.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';

/** What bytes are made of: mutations that keep to it come further into a decoder than flipped bits do. */
export type Form = 'bytes' | 'cbor' | 'cbor-sequence' | 'json';

/** Something that reads bytes which somebody else may have written. */
export interface FuzzedDecoder {
  name: string;
  form: Form;
  /** Bytes that Holdfast writes itself: the decoder must take each of them. */
  examples: fc.Arbitrary<Uint8Array>;
  /**
   * Gives a value (or a promise of one), or throws a HoldfastError of a kind that it `refuses` with. Any other error is a bug: also
   * one of an assertion in here about what came out.
   */
  decode: (bytes: Buffer) => unknown;
  /** Default: `damaged` and `unsupported`. */
  refuses?: readonly ErrorKind[];
  /** Mutations that know the layout, beside those of the form. */
  mutate?: (random: SeededRandom, example: Buffer) => Uint8Array;
}
