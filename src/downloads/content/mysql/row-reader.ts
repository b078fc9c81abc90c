import { endOfString } from '../../sql/plain-values.ts';
import { BYTE } from '../../sql/sql-bytes.ts';

const COMMA = 0x2c;
/** Bytes of values outside of quotes: numbers, NULL, 0x…, the letters before a string. */
const OUTSIDE = new Uint8Array(256);
for (const text of ['0123456789', 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '_.+-', ' \t\r\n'])
  for (const byte of Buffer.from(text)) OUTSIDE[byte] = 1;

/** Why rows cannot be read, within a sentence; never with a value. */
export class UnreadableRow extends Error {}

/** Finds rows and their values in the bytes of an INSERT. What is not surely a row of plain values is refused. */
export class RowReader {
  /** Where the wanted values of the last row begin and end, by the index of the column. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #wanted: Uint8Array;

  /** @param wanted Indexes of columns */
  constructor(columns: number, wanted: readonly number[]) {
    this.starts = new Int32Array(columns);
    this.ends = new Int32Array(columns);
    this.#wanted = new Uint8Array(columns);
    for (const column of wanted) this.#wanted[column] = 1;
  }

  /**
   * The position after the row whose parenthesis stands at `open`.
   * @throws UnreadableRow
   */
  row(bytes: Uint8Array, open: number): number {
    const wanted = this.#wanted;
    const end = bytes.length;
    let at = open + 1;
    for (let column = 0; ; column++) {
      const start = at;
      at = endOfValue(bytes, at, end);
      if (wanted[column] === 1) {
        this.starts[column] = start;
        this.ends[column] = at;
      }
      if (bytes[at] === COMMA) {
        at++;
        continue;
      }
      if (column + 1 !== wanted.length)
        throw new UnreadableRow(`it has ${column + 1} values where its table has ${wanted.length} columns`);
      return at + 1;
    }
  }
}

/** Counts the rows of a whole statement from the first row's parenthesis on. @throws UnreadableRow */
export function countRows(bytes: Uint8Array, from: number): number {
  let rows = 0;
  for (let at = from; at >= 0; at = nextRow(bytes, at)) {
    at = endOfRow(bytes, at);
    rows++;
  }
  return rows;
}

/**
 * Cuts a statement's rows into blocks of whole rows of about so many bytes, from the first row's parenthesis on. What stands between two blocks is
 * what stands between two rows.
 * @throws UnreadableRow
 */
export function* blocksOfRows(
  bytes: Uint8Array,
  from: number,
  size: number,
): Generator<{ start: number; end: number }> {
  let start = from;
  for (let at = from; at >= 0; ) {
    const end = endOfRow(bytes, at);
    at = nextRow(bytes, end);
    if (at >= 0 && end - start < size) continue;
    yield { start, end };
    start = at;
  }
}

/**
 * What follows a row: the position of the next one's parenthesis, or -1 where the statement or the block ends.
 * @throws UnreadableRow for anything else, such as ON DUPLICATE KEY
 */
export function nextRow(bytes: Uint8Array, from: number): number {
  let at = pastSpace(bytes, from);
  if (at >= bytes.length || bytes[at] === BYTE.semicolon) return -1;
  if (bytes[at] === COMMA) {
    at = pastSpace(bytes, at + 1);
    if (bytes[at] === BYTE.open) return at;
  }
  throw new UnreadableRow('it is followed by something else than another row');
}

export function pastSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (
    bytes[at] === BYTE.space ||
    bytes[at] === BYTE.newline ||
    bytes[at] === BYTE.carriageReturn ||
    bytes[at] === 0x09
  )
    at++;
  return at;
}

function endOfRow(bytes: Uint8Array, open: number): number {
  const end = bytes.length;
  let at = endOfValue(bytes, open + 1, end);
  while (bytes[at] === COMMA) at = endOfValue(bytes, at + 1, end);
  return at + 1;
}

/** The position of the comma or parenthesis after a value. */
function endOfValue(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte === BYTE.quote || byte === BYTE.doubleQuote) {
      at = endOfString(bytes, at, end);
      if (at < 0) throw new UnreadableRow('it does not end');
    } else if (byte === COMMA || byte === BYTE.close) return at;
    else if (OUTSIDE[byte] === 0 || (byte === BYTE.dash && bytes[at + 1] === BYTE.dash))
      throw new UnreadableRow('it has an expression, a function or a comment in the place of a value');
    else at++;
  }
}
