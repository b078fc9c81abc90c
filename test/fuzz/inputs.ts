import fc from 'fast-check';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { mutateBytes, randomBytes } from './byte-mutation.ts';
import type { FuzzedDecoder } from './decoder.ts';
import { mutateCbor, mutateCborSequence, mutateJson } from './value-mutation.ts';

const EXAMPLES = 40;
/** Bytes. What a decoder may need is in proportion to what it is given. */
export const LARGEST_INPUT = 1024 * 1024;

/** The inputs of one decoder: first examples as they are, then random bytes and mutated examples. A seed decides all of them. */
export class Inputs {
  readonly #decoder: FuzzedDecoder;
  readonly #seed: number;
  readonly #examples: readonly Buffer[];

  constructor(decoder: FuzzedDecoder, seed: number) {
    this.#decoder = decoder;
    this.#seed = seed;
    this.#examples = fc
      .sample(decoder.examples, { seed, numRuns: EXAMPLES })
      .map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  /** Whether an input is one that the decoder must take. */
  isExample(number: number): boolean {
    return number < this.#examples.length;
  }

  at(number: number): Buffer {
    return this.#made(number).subarray(0, LARGEST_INPUT);
  }

  #made(number: number): Buffer {
    if (this.isExample(number)) return Buffer.from(this.#examples[number]!);
    const random = new SeededRandom(Math.imul(this.#seed ^ Math.imul(number, 0x9e3779b9), 0x85ebca6b));
    const example = random.pick(this.#examples);
    if (random.chance(0.1)) return randomBytes(random);
    if (this.#decoder.mutate !== undefined && random.chance(0.4)) {
      const bytes = this.#decoder.mutate(random, Buffer.from(example));
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    if (this.#decoder.form !== 'bytes' && random.chance(0.7)) return MUTATE[this.#decoder.form](random, example);
    return mutateBytes(random, example, random.pick(this.#examples));
  }
}

const MUTATE = { cbor: mutateCbor, 'cbor-sequence': mutateCborSequence, json: mutateJson } as const;
