import { BYTE } from './sql-bytes.ts';

/** A longer row is given in parts. */
const MOST = 1 << 20;

/**
 * Gives rows only as whole lines, so that they can be ended after any of them. What follows the last line end waits for the next bytes.
 */
export class RowHolder {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isAtLineStart = true;

  /** True where what was given ends with a line. */
  get isAtLineStart(): boolean {
    return this.#isAtLineStart;
  }

  *whole(bytes: Buffer): Generator<Buffer> {
    const end = bytes.lastIndexOf(BYTE.newline) + 1;
    if (end > 0) {
      yield* this.rest();
      yield bytes.subarray(0, end);
      this.#isAtLineStart = true;
    }
    if (end === bytes.length) return;
    this.#held.push(bytes.subarray(end));
    this.#heldBytes += bytes.length - end;
    if (this.#heldBytes <= MOST) return;
    yield* this.rest();
    this.#isAtLineStart = false;
  }

  /** What waits; a line end or the rest of the line must follow. */
  *rest(): Generator<Buffer> {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    yield* held;
  }
}
