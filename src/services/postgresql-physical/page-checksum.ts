import {
  add,
  FIRST,
  get,
  load,
  multiply,
  number,
  set,
  shiftRight,
  splat,
  store,
  untilEnd,
  VECTORS,
  type VectorCode,
  vectorCode,
  xor,
} from './vector-code.ts';

/**
 * PostgreSQL's page checksum: 32 FNV-1a hashes side by side over the page's words, with the checksum's own field as zero,
 * folded together, mixed with the block number, reduced to 1…65535. Source of the algorithm: src/include/storage/checksum_impl.h.
 *
 * @param page of a little-endian server (those of others have other words)
 * @param block the page's number in its relation fork, over all its files
 */
export function pageChecksum(page: Uint8Array, block: number): number {
  code ??= prepared(vectorCode(MEMORY_BYTES, SUMS + 2, MIX)) ?? 'none';
  return code === 'none' ? pageChecksumByWords(page, block) : reduced(foldedByVectors(page, code), block);
}

/** The same without vectors, at a tenth of the speed. */
export function pageChecksumByWords(page: Uint8Array, block: number): number {
  const words = new DataView(page.buffer, page.byteOffset, page.length);
  let folded = 0;
  for (const [column, offset] of OFFSETS.entries()) {
    let sum = offset;
    for (let at = 4 * column; at < page.length; at += ROW_BYTES) {
      const word = words.getUint32(at, true);
      sum = mixed(sum, at === CHECKSUM_AT ? word & 0xffff0000 : word);
    }
    folded ^= mixed(mixed(sum, 0), 0);
  }
  return reduced(folded, block);
}

function foldedByVectors(page: Uint8Array, { memory, run }: VectorCode): number {
  const end = PAGE_AT + page.length;
  memory.set(page, PAGE_AT);
  memory[PAGE_AT + CHECKSUM_AT] = 0;
  memory[PAGE_AT + CHECKSUM_AT + 1] = 0;
  // Each sum is mixed with two words of zero at the end.
  memory.fill(0, end, end + 2 * ROW_BYTES);
  run(PAGE_AT, end + 2 * ROW_BYTES);
  let folded = 0;
  for (let at = 0; at < VECTOR_BYTES; at += 4) folded ^= memory.readInt32LE(RESULT_AT + at);
  return folded;
}

function prepared(made: VectorCode | undefined): VectorCode | undefined {
  if (made !== undefined) for (const [index, offset] of OFFSETS.entries()) made.memory.writeInt32LE(offset, 4 * index);
  return made;
}

function reduced(folded: number, block: number): number {
  return (((folded ^ block) >>> 0) % 65535) + 1;
}

function mixed(sum: number, word: number): number {
  const value = sum ^ word;
  return Math.imul(value, PRIME) ^ (value >>> 17);
}

const PRIME = 16777619;
const CHECKSUM_AT = 8;
const OFFSETS = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

let code: VectorCode | 'none' | undefined;

/** What the sums begin with lies at the begin of the memory, then the result, then the page. */
const ROW_BYTES = 128;
const RESULT_AT = ROW_BYTES;
const PAGE_AT = 2 * ROW_BYTES;
/** Pages have up to 32 KiB. */
const MEMORY_BYTES = 64 * 1024;
const VECTOR_BYTES = 16;
/** How many vectors the sums are. */
const SUMS = ROW_BYTES / VECTOR_BYTES;
const VALUE = VECTORS + SUMS;
const FACTOR = VALUE + 1;

const EACH_SUM = Array.from({ length: SUMS }, (_, index) => ({ sum: VECTORS + index, at: VECTOR_BYTES * index }));
const MIX = [
  ...[...number(PRIME), ...splat, ...set(FACTOR)],
  ...EACH_SUM.flatMap(({ sum, at }) => [...number(0), ...load(at), ...set(sum)]),
  ...untilEnd([
    ...EACH_SUM.flatMap(({ sum, at }) => [
      ...[...get(sum), ...get(FIRST), ...load(at), ...xor, ...set(VALUE)],
      ...[...get(VALUE), ...get(FACTOR), ...multiply, ...get(VALUE), ...number(17), ...shiftRight, ...xor, ...set(sum)],
    ]),
    ...[...get(FIRST), ...number(ROW_BYTES), ...add, ...set(FIRST)],
  ]),
  ...number(RESULT_AT),
  ...EACH_SUM.flatMap(({ sum }, index) => [...get(sum), ...(index === 0 ? [] : xor)]),
  ...store(0),
];
