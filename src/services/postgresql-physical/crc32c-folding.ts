import { type AssembledFunction, assembledIfPossible } from '../../assembly/assembled.ts';
import { get, i32, loopWhile, set, v128 } from '../../assembly/instructions.ts';

/** From here on it is faster than tables are. Bytes. */
export const FOLDED_FROM = 8192;

/**
 * Few bytes, of which a CRC-32C that begins with zero is that of `bytes` begun with `state`; undefined where no WebAssembly can run.
 * They stay until the next call.
 *
 * Modulo the CRC's polynomial, x^209 is x^144 + x^54 + x^39 + x^14 + 1, and so it is with each exponent times 128, since squaring keeps
 * such a sum. So 16 bytes may be left out if they are added, without carry, to those 65, 155, 170, 195 and 209 times 16 bytes further on.
 * Idea: Russell, "Chorba: A novel CRC32 implementation" (arXiv 2412.16398), for another polynomial.
 */
export function foldedForCrc32c(bytes: Uint8Array, state: number): Uint8Array | undefined {
  folding ??= prepared() ?? 'none';
  if (folding === 'none') return undefined;
  const { memory, fold } = folding;
  let filled = 0;
  for (let at = 0; at < bytes.length; ) {
    const taken = Math.min(bytes.length - at, MEMORY_BYTES - filled);
    memory.set(bytes.subarray(at, at + taken), filled);
    if (at === 0) addState(memory, state);
    at += taken;
    filled += taken;
    const folded = Math.floor(Math.max(0, filled - REACH) / VECTOR_BYTES) * VECTOR_BYTES;
    fold(0, folded);
    memory.copyWithin(0, folded, filled);
    filled -= folded;
  }
  return memory.subarray(0, filled);
}

function addState(memory: Uint8Array, state: number): void {
  for (let byte = 0; byte < 4; byte++) memory[byte] = (memory[byte] as number) ^ (state >>> (8 * byte));
}

interface Folding {
  memory: Uint8Array;
  fold(from: number, to: number): void;
}

let folding: Folding | 'none' | undefined;

function prepared(): Folding | undefined {
  const made = assembledIfPossible([foldFunction()], MEMORY_BYTES);
  return made && { memory: new Uint8Array(made.memory), fold: made.functions.fold };
}

const VECTOR_BYTES = 16;
const DISTANCES = [65, 155, 170, 195, 209].map((vectors) => vectors * VECTOR_BYTES);
const REACH = 209 * VECTOR_BYTES;
/** Little enough to stay in the processor's cache. */
const MEMORY_BYTES = 128 * 1024;

/** `fold(from, to)`: adds each sixteen bytes between these places to those further on. */
function foldFunction(): AssembledFunction<'fold'> {
  const [at, to, vector] = [0, 1, 2];
  return {
    name: 'fold',
    parameters: 2,
    locals: { i32: 0, i64: 0, v128: 1 },
    hasResult: false,
    body: loopWhile(
      i32.isLess(get(at), get(to)),
      set(vector, v128.load(get(at))),
      ...DISTANCES.map((distance) =>
        v128.store(get(at), v128.xor(v128.load(get(at), distance), get(vector)), distance),
      ),
      set(at, i32.add(get(at), i32.const(VECTOR_BYTES))),
    ),
  };
}
