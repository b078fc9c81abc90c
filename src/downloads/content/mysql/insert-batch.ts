import { freeMemory } from '../../../core/freed-memory.ts';
import type { RowBlockPart } from '../../masking/masking-pool.ts';
import type { RowSource } from '../../masking/row-format.ts';

/** Bytes after which a block is given to a thread. */
const BLOCK = 512 << 10;
/** Bytes of a block that does not wait until it is known that another statement follows. */
const GIANT = 4 << 20;

/** Gathers statements of the same source into blocks, as copies: there may be one for each row. */
export class InsertBatch {
  #source: RowSource | undefined;
  /** Of the block that is gathered; longer than that may be. */
  #memory: Buffer | undefined;
  #bytes = 0;
  #firstOrdinal = 0;

  get isEmpty(): boolean {
    return this.#source === undefined;
  }

  /** White space behind the last statement; a giant block does not wait for the next one. */
  *space(bytes: Buffer): Generator<RowBlockPart> {
    this.#push(bytes);
    if (this.#bytes > GIANT) yield* this.rest();
  }

  /** Takes a statement in; gives the block that had to end before it. */
  *statement(bytes: Buffer, source: RowSource, firstOrdinal: number): Generator<RowBlockPart> {
    if (this.#source !== source || this.#bytes > BLOCK) yield* this.rest();
    if (this.#source === undefined) {
      this.#source = source;
      this.#firstOrdinal = firstOrdinal;
    }
    this.#push(bytes);
  }

  *rest(): Generator<RowBlockPart> {
    if (this.#source === undefined) return;
    const bytes = this.#room(0).subarray(0, this.#bytes);
    const block = { rows: this.#source, bytes, ownsMemory: true, firstOrdinal: this.#firstOrdinal };
    this.#source = undefined;
    this.#memory = undefined;
    this.#bytes = 0;
    yield block;
  }

  #push(bytes: Buffer): void {
    this.#room(bytes.length).set(bytes, this.#bytes);
    this.#bytes += bytes.length;
  }

  /** The memory, with room for so many bytes more. */
  #room(more: number): Buffer {
    const held = this.#memory;
    const needed = this.#bytes + more;
    if (held !== undefined && needed <= held.length) return held;
    const memory = Buffer.allocUnsafeSlow(Math.max(needed, BLOCK) + ROOM);
    if (held !== undefined) {
      memory.set(held.subarray(0, this.#bytes));
      freeMemory(held);
    }
    this.#memory = memory;
    return memory;
  }
}

/** Bytes for what follows the statement with which a block is full: the rest of a statement, and white space. */
const ROOM = 64 << 10;
