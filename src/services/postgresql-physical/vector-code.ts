/**
 * Functions over memory of their own that work on 16 bytes at a time, which JavaScript cannot: a WebAssembly module of one function, put
 * together here from its instructions. Source of the encoding: WebAssembly Core Specification 2.0, chapter 5 ("Binary Format").
 */
export interface VectorCode {
  /** What `run` works on; it stays the same. */
  memory: Buffer;
  /** @param places two numbers, as the instructions take them */
  run(first: number, second: number): void;
}

/**
 * @param memoryBytes a multiple of 64 KiB
 * @param vectors how many locals of 16 bytes there are, after the two parameters
 * @returns undefined where there is no WebAssembly, or no memory to be had for it
 */
export function vectorCode(
  memoryBytes: number,
  vectors: number,
  instructions: readonly number[],
): VectorCode | undefined {
  try {
    const module = new WebAssembly.Module(moduleOf(memoryBytes, vectors, instructions));
    const { memory, run } = new WebAssembly.Instance(module).exports;
    return { memory: Buffer.from(memory.buffer), run };
  } catch (error) {
    if (error instanceof RangeError || error instanceof ReferenceError) return undefined;
    throw error;
  }
}

/** Number of the parameters, which are places in the memory. */
export const FIRST = 0;
export const SECOND = 1;
/** Number of the first vector. */
export const VECTORS = 2;

export const get = (local: number): number[] => [0x20, local];
export const set = (local: number): number[] => [0x21, local];
export const number = (value: number): number[] => [0x41, ...signed(value)];
export const add: readonly number[] = [0x6a];
/** Of the vector at a place, `offset` bytes further. */
export const load = (offset: number): number[] => [...vector(0), ALIGNED, ...unsigned(offset)];
/** Takes a place and a vector. */
export const store = (offset: number): number[] => [...vector(11), ALIGNED, ...unsigned(offset)];
export const xor: readonly number[] = vector(81);
/** Four numbers of 32 bits, each by itself. */
export const multiply: readonly number[] = vector(181);
export const shiftRight: readonly number[] = vector(173);
export const splat: readonly number[] = vector(17);

/** Repeats instructions until the first parameter is at least as large as the second. */
export function untilEnd(instructions: readonly number[]): number[] {
  const isOver = [...get(FIRST), ...get(SECOND), 0x4f, 0x0d, 1];
  return [0x02, NOTHING, 0x03, NOTHING, ...isOver, ...instructions, 0x0c, 0, END, END];
}

/** What is used of the platform's; the types of Node.js leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: { memory: { buffer: ArrayBuffer }; run: VectorCode['run'] } };
};

const ALIGNED = 4;
const NOTHING = 0x40;
const END = 0x0b;
const PAGE = 65_536;

function moduleOf(memoryBytes: number, vectors: number, instructions: readonly number[]): Uint8Array {
  const body = [1, vectors, 0x7b, ...instructions, END];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // A type: two numbers of 32 bits, no result. A function of it. A memory.
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(memoryBytes / PAGE)]),
    ...section(7, [2, ...sized(Buffer.from('memory')), 2, 0, ...sized(Buffer.from('run')), 0, 0]),
    ...section(10, [1, ...sized(body)]),
  ]);
}

function section(number: number, content: readonly number[]): number[] {
  return [number, ...sized(content)];
}

function sized(content: Iterable<number>): number[] {
  const bytes = [...content];
  return [...unsigned(bytes.length), ...bytes];
}

function vector(operation: number): number[] {
  return [0xfd, ...unsigned(operation)];
}

/** LEB128 */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
