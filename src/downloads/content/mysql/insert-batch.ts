import type { RowBlockPart } from '../../masking/masking-pool.ts';
import type { RowSource } from '../../masking/row-format.ts';

/** Bytes after which a block is given to a thread. */
const BLOCK = 512 << 10;

/** Gathers statements of the same source into blocks: there may be one for each row. */
export class InsertBatch {
  #source: RowSource | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;
  #firstOrdinal = 0;

  get isEmpty(): boolean {
    return this.#source === undefined;
  }

  /** White space behind the last statement. */
  space(bytes: Buffer): void {
    this.#push(bytes);
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
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const block = { rows: this.#source, bytes, firstOrdinal: this.#firstOrdinal };
    this.#source = undefined;
    this.#parts = [];
    this.#bytes = 0;
    yield block;
  }

  #push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }
}
