import { type Code, unsigned } from './instructions.ts';

/** The types do not know of it, since it is no part of the language. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** A function of 32-bit integers. */
export interface AssembledFunction<Name extends string> {
  name: Name;
  /** How many; they are the first locals. */
  parameters: number;
  /** How many of each type follow them, in this order. */
  locals: Readonly<Record<LocalType, number>>;
  /** Whether its body leaves an integer. */
  hasResult: boolean;
  body: Code;
}

const LOCAL_TYPES = ['i32', 'i64', 'v128'] as const;
type LocalType = (typeof LOCAL_TYPES)[number];

export interface Assembled<Name extends string> {
  memory: ArrayBuffer;
  functions: Readonly<Record<Name, (...parameters: number[]) => number>>;
}

/**
 * Makes a module of WebAssembly and an instance of it: for loops that are several times faster where sixteen bytes are looked at in one go, which JavaScript cannot do. It is
 * made where it is used, so that no binary lies among the sources.
 * @param memory bytes, which begin as zeros; the memory never grows
 * @throws ReferenceError where there is no WebAssembly, CompileError where it has no SIMD, RangeError where there is no memory to be had for it
 */
export function assembled<Name extends string>(
  functions: readonly AssembledFunction<Name>[],
  memory: number,
): Assembled<Name> {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(functions, memory)));
  const { buffer } = exports.memory as { buffer: ArrayBuffer };
  return { memory: buffer, functions: exports as Assembled<Name>['functions'] };
}

/** The same for what can be done without it: undefined where it would throw. */
export function assembledIfPossible<Name extends string>(
  functions: readonly AssembledFunction<Name>[],
  memory: number,
): Assembled<Name> | undefined {
  try {
    return assembled(functions, memory);
  } catch (error) {
    if (error instanceof Error && NOT_POSSIBLE.has(error.name)) return undefined;
    throw error;
  }
}

/** By name: where there is no WebAssembly, there is no class of its errors. */
const NOT_POSSIBLE = new Set(['ReferenceError', 'CompileError', 'RangeError']);

/** WebAssembly 2.0, chapter 5.5: a section for each kind of thing. */
function moduleOf(functions: readonly AssembledFunction<string>[], memory: number): Uint8Array {
  const pages = unsigned(Math.ceil(memory / PAGE));
  const types = functions.map(({ parameters, hasResult }) => [
    ...[0x60, ...list(Array.from({ length: parameters }, () => [TYPES.i32]))],
    ...list(hasResult ? [[TYPES.i32]] : []),
  ]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => {
    const groups = LOCAL_TYPES.map((type) => [...unsigned(locals[type]), TYPES[type]]);
    const code = [...list(groups), ...body, END];
    return [...unsigned(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(5, [[1, ...pages, ...pages]]),
    ...section(7, [[...text('memory'), 2, 0], ...exported]),
    ...section(10, bodies),
  ]);
}

const PAGE = 1 << 16;
const END = 0x0b;
const TYPES: Readonly<Record<LocalType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };

function section(number: number, items: readonly Code[]): Code {
  const content = list(items);
  return [number, ...unsigned(content.length), ...content];
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): Code {
  return [...unsigned(value.length), ...Buffer.from(value, 'latin1')];
}
