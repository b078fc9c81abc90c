/** Bytes of WebAssembly that leave a value, or do something. Numbers are those of the WebAssembly specification 2.0, chapter 5.4. */
export type Code = readonly number[];

/** Reads a parameter or local by its index: parameters come first. */
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  store: (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0x36, 2, ...unsigned(offset)],
  add: (one: Code, other: Code): Code => [...one, ...other, 0x6a],
  shiftLeft: (value: Code, bits: Code): Code => [...value, ...bits, 0x74],
  shiftRight: (value: Code, bits: Code): Code => [...value, ...bits, 0x76],
  isZero: (value: Code): Code => [...value, 0x45],
  isLess: (one: Code, other: Code): Code => [...one, ...other, 0x49],
  /** The low half of 64 bits. */
  of: (value: Code): Code => [...value, 0xa7],
};

export const i64 = {
  const: (value: number): Code => [0x42, ...signed(value)],
  /** Of 32 bits without a sign. */
  of: (value: Code): Code => [...value, 0xad],
  isZero: (value: Code): Code => [...value, 0x50],
  trailingZeros: (value: Code): Code => [...value, 0x7a],
  ones: (value: Code): Code => [...value, 0x7b],
  subtract: (one: Code, other: Code): Code => [...one, ...other, 0x7d],
  and: (one: Code, other: Code): Code => [...one, ...other, 0x83],
  or: (one: Code, other: Code): Code => [...one, ...other, 0x84],
  shiftLeft: (value: Code, bits: Code): Code => [...value, ...bits, 0x86],
};

/** Sixteen bytes at once. */
export const v128 = {
  load: (at: Code, offset = 0): Code => [...at, 0xfd, 0, 0, ...unsigned(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0xfd, 0x0b, 0, ...unsigned(offset)],
  /** The same byte sixteen times. */
  each: (byte: number): Code => [...i32.const(byte), 0xfd, 0x0f],
  /** All bits of each byte that is the same in both. */
  equal: (one: Code, other: Code): Code => [...one, ...other, 0xfd, 0x23],
  or: (one: Code, other: Code): Code => [...one, ...other, 0xfd, 0x50],
  xor: (one: Code, other: Code): Code => [...one, ...other, 0xfd, 0x51],
  /** The highest bit of each byte, as 16 bits. */
  highBits: (value: Code): Code => [...value, 0xfd, ...unsigned(0x64)],
  /** The same 32 bits four times. */
  eachWord: (word: number): Code => [...i32.const(word), 0xfd, 0x11],
  /** Four numbers of 32 bits, each by itself; of the products the low halves. */
  multiplyWords: (one: Code, other: Code): Code => [...one, ...other, 0xfd, ...unsigned(0xb5)],
  /** Each of the four without a sign. */
  shiftWordsRight: (value: Code, bits: Code): Code => [...value, ...bits, 0xfd, ...unsigned(0xad)],
};

/** While `condition`, which is asked before each turn. */
export const loopWhile = (condition: Code, ...body: readonly Code[]): Code => [
  ...[0x02, NOTHING, 0x03, NOTHING],
  ...[...condition, 0x45, 0x0d, 1],
  ...body.flat(),
  ...[0x0c, 0, 0x0b, 0x0b],
];
export const when = (condition: Code, ...body: readonly Code[]): Code => [
  ...condition,
  ...[0x04, NOTHING],
  ...body.flat(),
  0x0b,
];

/** LEB128, as sizes and indexes are written. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest < -64 || rest > 63; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest & 0x7f];
}

/** A block without a result. */
const NOTHING = 0x40;
