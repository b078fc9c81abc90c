import { type AssembledFunction, assembledIfPossible } from '../../assembly/assembled.ts';
import { get, i32, loopWhile, set, v128 } from '../../assembly/instructions.ts';

/**
 * PostgreSQL's page checksum: 32 FNV-1a hashes side by side over the page's words, with the checksum's own field as zero,
 * folded together, mixed with the block number, reduced to 1…65535. Source of the algorithm: src/include/storage/checksum_impl.h.
 *
 * @param page of a little-endian server (those of others have other words)
 * @param block the page's number in its relation fork, over all its files
 */
export function pageChecksum(page: Uint8Array, block: number): number {
  return pageChecksumByVectors(page, block) ?? pageChecksumByWords(page, block);
}

/** Undefined where no WebAssembly can run. */
export function pageChecksumByVectors(page: Uint8Array, block: number): number | undefined {
  mixing ??= prepared() ?? 'none';
  return mixing === 'none' ? undefined : reduced(foldedByVectors(page, mixing), block);
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

function foldedByVectors(page: Uint8Array, { memory, mix }: Mixing): number {
  const end = PAGE_AT + page.length;
  memory.set(page, PAGE_AT);
  memory[PAGE_AT + CHECKSUM_AT] = 0;
  memory[PAGE_AT + CHECKSUM_AT + 1] = 0;
  // Each sum is mixed with two words of zero at the end.
  memory.fill(0, end, end + 2 * ROW_BYTES);
  mix(PAGE_AT, end + 2 * ROW_BYTES);
  let folded = 0;
  for (let at = 0; at < VECTOR_BYTES; at += 4) folded ^= memory.readInt32LE(RESULT_AT + at);
  return folded;
}

interface Mixing {
  memory: Buffer;
  mix(from: number, to: number): void;
}

let mixing: Mixing | 'none' | undefined;

function prepared(): Mixing | undefined {
  const made = assembledIfPossible([mixFunction()], MEMORY_BYTES);
  if (made === undefined) return undefined;
  const memory = Buffer.from(made.memory);
  for (const [index, offset] of OFFSETS.entries()) memory.writeInt32LE(offset, 4 * index);
  return { memory, mix: made.functions.mix };
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

/** What the sums begin with lies at the begin of the memory, then the result, then the page. */
const ROW_BYTES = 128;
const RESULT_AT = ROW_BYTES;
const PAGE_AT = 2 * ROW_BYTES;
/** Pages have up to 32 KiB. */
const MEMORY_BYTES = 64 * 1024;
const VECTOR_BYTES = 16;
/** How many vectors the sums are. */
const SUMS = ROW_BYTES / VECTOR_BYTES;

/** `mix(from, to)`: mixes the rows between these places into the sums, and leaves the sums as one vector. */
function mixFunction(): AssembledFunction<'mix'> {
  const [at, to, value, factor] = [0, 1, 2, 3];
  const sums = Array.from({ length: SUMS }, (_, index) => ({ sum: factor + 1 + index, offset: VECTOR_BYTES * index }));
  return {
    name: 'mix',
    parameters: 2,
    locals: { i32: 0, i64: 0, v128: 2 + SUMS },
    hasResult: false,
    body: [
      set(factor, v128.eachWord(PRIME)),
      ...sums.map(({ sum, offset }) => set(sum, v128.load(i32.const(0), offset))),
      loopWhile(
        i32.isLess(get(at), get(to)),
        ...sums.flatMap(({ sum, offset }) => [
          set(value, v128.xor(get(sum), v128.load(get(at), offset))),
          set(
            sum,
            v128.xor(v128.multiplyWords(get(value), get(factor)), v128.shiftWordsRight(get(value), i32.const(17))),
          ),
        ]),
        set(at, i32.add(get(at), i32.const(ROW_BYTES))),
      ),
      v128.store(i32.const(RESULT_AT), sums.map(({ sum }) => get(sum)).reduce(v128.xor)),
    ].flat(),
  };
}
