import {
  add,
  FIRST,
  get,
  load,
  number,
  set,
  store,
  untilEnd,
  VECTORS,
  type VectorCode,
  vectorCode,
  xor,
} from './vector-code.ts';

/** From here on it is faster than tables are. Bytes. */
export const FOLDED_FROM = 8192;

/**
 * Few bytes, of which a CRC-32C that begins with zero is that of `bytes` begun with `state`; undefined where no vector code can run.
 * They stay until the next call.
 *
 * Modulo the CRC's polynomial, x^209 is x^144 + x^54 + x^39 + x^14 + 1, and so it is with each exponent times 128, since squaring keeps
 * such a sum. So 16 bytes may be left out if they are added, without carry, to those 65, 155, 170, 195 and 209 times 16 bytes further on.
 * Idea: Russell, "Chorba: A novel CRC32 implementation" (arXiv 2412.16398), for another polynomial.
 */
export function foldedForCrc32c(bytes: Uint8Array, state: number): Uint8Array | undefined {
  code ??= vectorCode(MEMORY_BYTES, 1, FOLD) ?? 'none';
  if (code === 'none') return undefined;
  const { memory, run } = code;
  let filled = 0;
  for (let at = 0; at < bytes.length; ) {
    const taken = Math.min(bytes.length - at, MEMORY_BYTES - filled);
    memory.set(bytes.subarray(at, at + taken), filled);
    if (at === 0) addState(memory, state);
    at += taken;
    filled += taken;
    const folded = Math.floor(Math.max(0, filled - REACH) / VECTOR_BYTES) * VECTOR_BYTES;
    run(0, folded);
    memory.copyWithin(0, folded, filled);
    filled -= folded;
  }
  return memory.subarray(0, filled);
}

function addState(memory: Buffer, state: number): void {
  for (let byte = 0; byte < 4; byte++) memory[byte] = (memory[byte] as number) ^ (state >>> (8 * byte));
}

let code: VectorCode | 'none' | undefined;

const VECTOR_BYTES = 16;
const DISTANCES = [65, 155, 170, 195, 209].map((vectors) => vectors * VECTOR_BYTES);
const REACH = 209 * VECTOR_BYTES;
/** Little enough to stay in the processor's cache. */
const MEMORY_BYTES = 128 * 1024;

const FOLD = untilEnd([
  ...[...get(FIRST), ...load(0), ...set(VECTORS)],
  ...DISTANCES.flatMap((at) => [...get(FIRST), ...get(FIRST), ...load(at), ...get(VECTORS), ...xor, ...store(at)]),
  ...[...get(FIRST), ...number(VECTOR_BYTES), ...add, ...set(FIRST)],
]);
