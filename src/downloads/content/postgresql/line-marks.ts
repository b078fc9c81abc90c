import { endianness } from 'node:os';
import { type AssembledFunction, assembled } from '../../../assembly/assembled.ts';
import { type Code, get, i32, i64, loopWhile, set, v128, when } from '../../../assembly/instructions.ts';

/** Where tabs and line ends of rows are, and where backslashes are. */
export class LineMarks {
  /** Positions of tabs and line ends, behind the -1 at the beginning. */
  marks = new Int32Array(4096).fill(-1, 0, 1);
  /** How many, with the first one. */
  count = 1;
  lineEnds = 0;
  backslashes = new Int32Array(64);
  backslashCount = 0;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #find: (end: number, base: number) => void;

  constructor() {
    const { memory, functions } = assembled([findFunction()], MEMORY);
    this.#bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#find = functions.find;
  }

  /** Finds those of a block of rows; what was found before is gone. */
  find(block: Uint8Array): void {
    const bytes = this.#bytes;
    this.count = 1;
    this.lineEnds = 0;
    this.backslashCount = 0;
    for (let from = 0; from < block.length; from += WINDOW) {
      const part = from === 0 && block.length <= WINDOW ? block : block.subarray(from, from + WINDOW);
      const end = BYTES + part.length;
      bytes.set(part, BYTES);
      // The last group may go on behind the rows.
      bytes.fill(0, end, end + GROUP);
      this.#find(end, from - BYTES);
      const [marksEnd = 0, backslashesEnd = 0, lineEnds = 0] = this.#numbers(0, RESULTS);
      const found = this.#numbers(MARKS >> 2, marksEnd);
      this.marks = withRoom(this.marks, this.count, found.length);
      this.marks.set(found, this.count);
      this.count += found.length;
      const others = this.#numbers(BACKSLASHES >> 2, backslashesEnd);
      this.backslashes = withRoom(this.backslashes, this.backslashCount, others.length);
      this.backslashes.set(others, this.backslashCount);
      this.backslashCount += others.length;
      this.lineEnds += lineEnds;
    }
  }

  /** What the module wrote: to memory that is little-endian, whatever the processor is. */
  #numbers(from: number, to: number): Int32Array {
    const found = this.#words.subarray(from, to);
    if (!IS_LITTLE_ENDIAN) Buffer.from(found.buffer, found.byteOffset, found.byteLength).swap32();
    return found;
  }
}

function withRoom(list: Int32Array<ArrayBuffer>, length: number, more: number): Int32Array<ArrayBuffer> {
  if (length + more <= list.length) return list;
  const longer = new Int32Array(Math.max(length + more, 2 * list.length));
  longer.set(list.subarray(0, length));
  return longer;
}

const IS_LITTLE_ENDIAN = endianness() === 'LE';
const [TAB, NEWLINE, BACKSLASH] = [0x09, 0x0a, 0x5c];
/** Bytes of rows that are looked at in one call. */
const WINDOW = 256 << 10;
/** Bytes that are looked at in one go: a bit of 64 for each. */
const GROUP = 64;
/** Marks that are written for a group without a look at how many there are, which would be a branch that nobody foresees; what is too much is overwritten by the next. */
const USUAL = 8;
const RESULTS = 3;
/** Where things lie in the module's memory: first the results, then the bytes, then what was found, as 32 bits for each. */
const BYTES = GROUP;
const MARKS = BYTES + WINDOW + GROUP;
const BACKSLASHES = MARKS + 4 * (WINDOW + USUAL);
const MEMORY = BACKSLASHES + 4 * WINDOW;

/**
 * `find(end, base)`: looks at the bytes up to `end` and notes their positions, each with `base` added. The word 0 is then where the marks end, the word 1 where
 * the backslashes do (in words), and the word 2 says how many line ends there are.
 */
function findFunction(): AssembledFunction<'find'> {
  const [end, base, at, out, past, back, ends] = [0, 1, 2, 3, 4, 5, 6];
  const [marks, lineEnds, backslashes] = [7, 8, 9];
  const [tab, newline, backslash, ...vectors] = [10, 11, 12, 13, 14, 15, 16];
  const position = (bits: number) => i32.add(i32.add(get(at), get(base)), i32.of(i64.trailingZeros(get(bits))));
  const withoutLowest = (bits: number) => set(bits, i64.and(get(bits), i64.subtract(get(bits), i64.const(1))));
  const add = (local: number, value: Code) => set(local, i32.add(get(local), value));
  const isAny = (bits: number) => i32.isZero(i64.isZero(get(bits)));
  /** A bit of 64 for each byte that is the same. */
  const bitsOf = (byte: number) =>
    vectors
      .map((vector, index) => {
        const bits = i64.of(v128.highBits(v128.equal(get(vector), get(byte))));
        return index === 0 ? bits : i64.shiftLeft(bits, i64.const(16 * index));
      })
      .reduce(i64.or);
  return {
    name: 'find',
    parameters: 2,
    locals: { i32: 5, i64: 3, v128: 7 },
    hasResult: false,
    body: [
      set(tab, v128.each(TAB)),
      set(newline, v128.each(NEWLINE)),
      set(backslash, v128.each(BACKSLASH)),
      set(at, i32.const(BYTES)),
      set(out, i32.const(MARKS)),
      set(back, i32.const(BACKSLASHES)),
      loopWhile(
        i32.isLess(get(at), get(end)),
        ...vectors.map((vector, index) => set(vector, v128.load(get(at), 16 * index))),
        set(lineEnds, bitsOf(newline)),
        set(marks, i64.or(get(lineEnds), bitsOf(tab))),
        set(backslashes, bitsOf(backslash)),
        add(ends, i32.of(i64.ones(get(lineEnds)))),
        when(
          isAny(marks),
          set(past, i32.add(get(out), i32.shiftLeft(i32.of(i64.ones(get(marks))), i32.const(2)))),
          ...Array.from({ length: USUAL }, (_, index) => [
            ...i32.store(get(out), position(marks), 4 * index),
            ...withoutLowest(marks),
          ]),
          add(out, i32.const(4 * USUAL)),
          loopWhile(isAny(marks), i32.store(get(out), position(marks)), withoutLowest(marks), add(out, i32.const(4))),
          set(out, get(past)),
        ),
        loopWhile(
          isAny(backslashes),
          i32.store(get(back), position(backslashes)),
          withoutLowest(backslashes),
          add(back, i32.const(4)),
        ),
        add(at, i32.const(GROUP)),
      ),
      i32.store(i32.const(0), i32.shiftRight(get(out), i32.const(2))),
      i32.store(i32.const(4), i32.shiftRight(get(back), i32.const(2))),
      i32.store(i32.const(8), get(ends)),
    ].flat(),
  };
}
