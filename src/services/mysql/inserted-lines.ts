const NEWLINE = 0x0a;
/** Of a line, bytes that are looked at: a name has at most 64 characters. */
const BEGINNING = 400;
/** `INSERT` or `REPLACE`. */
const FIRST_BYTES: ReadonlySet<number | undefined> = new Set([0x49, 0x52]);
const ROWS = /^(?:INSERT|REPLACE)\s+(?:(?:IGNORE|DELAYED|LOW_PRIORITY)\s+)*INTO\s+(?:`((?:[^`]|``)+)`|([^\s`(]+))/;

/**
 * Notes into which table the lines of a dump put rows, by their number: all that clients say of a statement that failed is the line at
 * which it began. What it notes is a guess, because a string may hold a line that looks like a statement.
 */
export class InsertedLines {
  #line = 1;
  #beginning: Buffer = Buffer.alloc(0);
  readonly #tables: { line: number; table: string }[] = [];

  async *over(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.#note(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
      yield piece;
    }
  }

  /** The table that the rows of a line seem to go into; undefined where none is known. */
  tableAt(line: number): string | undefined {
    const last = this.#line <= line ? this.#table() : undefined;
    return last ?? this.#tables.findLast((noted) => noted.line <= line)?.table;
  }

  #note(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      const newline = piece.indexOf(NEWLINE, at);
      const end = newline === -1 ? piece.length : newline;
      const missing = BEGINNING - this.#beginning.length;
      if (missing > 0) {
        const more = piece.subarray(at, Math.min(end, at + missing));
        // A copy: what it came in may be used again.
        this.#beginning = Buffer.concat([this.#beginning, more]);
      }
      if (newline !== -1) this.#endLine();
      at = end + 1;
    }
  }

  #endLine(): void {
    const table = this.#table();
    if (table !== undefined && table !== this.#tables.at(-1)?.table) this.#tables.push({ line: this.#line, table });
    this.#line++;
    this.#beginning = Buffer.alloc(0);
  }

  #table(): string | undefined {
    if (!FIRST_BYTES.has(this.#beginning[0])) return undefined;
    const found = ROWS.exec(this.#beginning.toString());
    return found?.[1]?.replaceAll('``', '`') ?? found?.[2];
  }
}
