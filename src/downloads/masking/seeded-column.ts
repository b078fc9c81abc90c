import { ABSENT, type ByteValues, lieIn, makeRoom, noValues } from './byte-values.ts';
import type { CanaryProbe } from './canary-probe.ts';
import { normalised, writeNormalisedAscii } from './normalisation.ts';
import { PSEUDONYM_BYTES, Pseudonyms } from './pseudonym.ts';
import type { SeededOutput, SeededValue } from './seeded-output.ts';

/** Masks the values of one column, those of a whole block of rows at a time. */
export class SeededColumn {
  /** Of the column among those of the row. */
  readonly index: number;
  readonly #output: SeededOutput;
  readonly #steps: readonly ('trim' | 'lower')[];
  readonly #pseudonyms: Pseudonyms;
  readonly #normalised = noValues();
  readonly #outputs = noValues();
  #seeds = new Uint8Array(0);

  /** @param key of the rule's domain */
  constructor(index: number, output: SeededOutput, key: Uint8Array, steps: readonly ('trim' | 'lower')[]) {
    this.index = index;
    this.#output = output;
    this.#steps = steps;
    this.#pseudonyms = new Pseudonyms(key);
  }

  /**
   * What stands in the place of each, printable ASCII without quotes and backslashes, one behind the other from the beginning of its memory on. It is
   * overwritten with the next block.
   */
  mask(originals: ByteValues): ByteValues {
    const values = this.#steps.length === 0 ? originals : this.#normalise(originals);
    const { bytes, starts, ends, count } = values;
    if (this.#seeds.length < count * PSEUDONYM_BYTES) this.#seeds = new Uint8Array(count * PSEUDONYM_BYTES);
    this.#pseudonyms.ofAll(values, this.#seeds);
    const output = this.#output;
    const outputs = this.#outputs;
    makeRoom(outputs, count);
    this.#makeRoom(values);
    const value: SeededValue = { bytes, start: 0, end: 0, pseudonyms: this.#seeds, seed: 0 };
    let at = 0;
    for (let index = 0; index < count; index++) {
      value.start = starts[index] as number;
      value.end = ends[index] as number;
      value.seed = index * PSEUDONYM_BYTES;
      outputs.starts[index] = at;
      if (value.start !== ABSENT) at = output.write(value, outputs, at);
      outputs.ends[index] = at;
    }
    return outputs;
  }

  #makeRoom({ starts, ends, count }: ByteValues): void {
    let room = 0;
    for (let index = 0; index < count; index++)
      if (starts[index] !== ABSENT) room += this.#output.room((ends[index] as number) - (starts[index] as number));
    const { length } = this.#outputs.bytes;
    if (length < room || length > Math.max(room, MOST_HELD)) lieIn(this.#outputs, Buffer.allocUnsafeSlow(room));
  }

  #normalise({ bytes, starts, ends, count }: ByteValues): ByteValues {
    const values = this.#normalised;
    makeRoom(values, count);
    let target = this.#roomForAll({ starts, ends, count });
    let at = 0;
    for (let index = 0; index < count; index++) {
      const [start, end] = [starts[index] as number, ends[index] as number];
      values.starts[index] = start === ABSENT ? ABSENT : at;
      if (start !== ABSENT) {
        if (at + end - start > target.length) target = grown(target, at + end - start);
        const written = writeNormalisedAscii(bytes, start, end, this.#steps, target, at);
        if (written === ABSENT) {
          const text = Buffer.from(normalised(bytes.toString('utf8', start, end), this.#steps));
          if (at + text.length > target.length) target = grown(target, at + text.length);
          target.set(text, at);
          at += text.length;
        } else at = written;
      }
      values.ends[index] = start === ABSENT ? ABSENT : at;
    }
    lieIn(values, target);
    return values;
  }

  /** Memory for so many bytes as the values have: that of the block before where it is as large, and not much larger. */
  #roomForAll({ starts, ends, count }: Pick<ByteValues, 'starts' | 'ends' | 'count'>): Buffer {
    let room = 0;
    for (let index = 0; index < count; index++) room += (ends[index] as number) - (starts[index] as number);
    const held = this.#normalised.bytes;
    const isKept = held.length >= room && held.length <= Math.max(room, MOST_HELD);
    return isKept ? held : Buffer.allocUnsafeSlow(room + (room >> 3));
  }
}

/** Bytes of memory that is used again for other blocks. */
const MOST_HELD = 4 << 20;

function grown(bytes: Buffer, needed: number): Buffer<ArrayBuffer> {
  const more = Buffer.allocUnsafeSlow(Math.max(needed, 2 * bytes.length));
  more.set(bytes);
  return more;
}

/** Tells the canary of a column's values, too. */
export class WatchedSeededColumn {
  readonly index: number;
  readonly #column: SeededColumn;
  readonly #probe: CanaryProbe;
  readonly #isTraceable: boolean;
  readonly #isWatched: boolean;

  constructor(column: SeededColumn, probe: CanaryProbe, isWatched: boolean) {
    this.index = column.index;
    this.#column = column;
    this.#probe = probe;
    this.#isTraceable = probe.traceable.includes(column.index);
    this.#isWatched = isWatched && probe.watched.includes(column.index);
  }

  mask(originals: ByteValues): ByteValues {
    if (this.#isTraceable) this.#probe.originals(originals);
    const outputs = this.#column.mask(originals);
    if (!this.#isWatched) return outputs;
    const { bytes, starts, ends, count } = outputs;
    // Not as Latin-1, although outputs are ASCII: an original that stands there all the same would not be known again.
    for (let index = 0; index < count; index++)
      if (originals.starts[index] !== ABSENT)
        this.#probe.output(bytes.toString('utf8', starts[index], ends[index]), this.index);
    return outputs;
  }
}
