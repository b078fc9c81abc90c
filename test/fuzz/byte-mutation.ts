import type { SeededRandom } from '../simulation/seeded-random.ts';

/** @param other another example, to splice with */
export function mutateBytes(random: SeededRandom, example: Buffer, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(example);
  for (let times = random.pick([1, 1, 1, 2, 3]); times > 0; times--)
    bytes = random.pick(MUTATIONS)(random, bytes, other);
  return bytes;
}

/** Mostly few bytes, sometimes many; random ones, or all the same. */
export function randomBytes(random: SeededRandom): Buffer {
  const length = random.chance(0.05) ? random.below(100_000) : random.below(random.pick([8, 100, 400]));
  return random.chance(0.2) ? Buffer.alloc(length, random.below(256)) : random.bytes(length);
}

type Mutation = (random: SeededRandom, bytes: Buffer, other: Buffer) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  truncate,
  extend,
  splice,
  duplicate,
  remove,
  overwriteNumber,
  overwriteNumber,
  overwriteByte,
  insertRun,
];

function flipBits(random: SeededRandom, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  for (let times = 1 + random.below(8); times > 0; times--) {
    const at = random.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << random.below(8));
  }
  return bytes;
}

function truncate(random: SeededRandom, bytes: Buffer): Buffer {
  return bytes.subarray(0, random.below(bytes.length + 1));
}

function extend(random: SeededRandom, bytes: Buffer): Buffer {
  return Buffer.concat([bytes, randomBytes(random)]);
}

function splice(random: SeededRandom, bytes: Buffer, other: Buffer): Buffer {
  return Buffer.concat([
    bytes.subarray(0, random.below(bytes.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ]);
}

function duplicate(random: SeededRandom, bytes: Buffer): Buffer {
  const [start, end] = part(random, bytes);
  const times = random.pick([2, 2, 3, 100]);
  const copies = Array.from({ length: times }, () => bytes.subarray(start, end));
  return Buffer.concat([bytes.subarray(0, start), ...copies, bytes.subarray(end)]).subarray(0, MOST_BYTES);
}

function remove(random: SeededRandom, bytes: Buffer): Buffer {
  const [start, end] = part(random, bytes);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
}

/** What a length, a count or an offset could be at its worst. */
function overwriteNumber(random: SeededRandom, bytes: Buffer): Buffer {
  const width = random.pick([2, 4, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = random.below(bytes.length - width + 1);
  const value = random.pick(['00000000', 'ffffffff', '7fffffff', '80000000', '02000000', '20000000', '00000001']);
  bytes.write(value.repeat(2).slice(-2 * width), at, 'hex');
  return bytes;
}

function overwriteByte(random: SeededRandom, bytes: Buffer): Buffer {
  if (bytes.length > 0) bytes[random.below(bytes.length)] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff, random.below(256)]);
  return bytes;
}

function insertRun(random: SeededRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const run = Buffer.alloc(random.chance(0.1) ? 50_000 : random.below(100), random.below(256));
  return Buffer.concat([bytes.subarray(0, at), run, bytes.subarray(at)]);
}

function part(random: SeededRandom, bytes: Buffer): [start: number, end: number] {
  const start = random.below(bytes.length + 1);
  return [start, start + random.below(Math.min(bytes.length - start, 200) + 1)];
}

const MOST_BYTES = 500_000;
