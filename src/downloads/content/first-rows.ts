/** Bytes of INSERT statements of each table. */
const FIRST = 256 << 10;

/** Of tables that no rule changes the canary looks at the first rows, where they stand in INSERT statements: those that are among them. */
export class FirstRows {
  readonly #seen = new Map<string, number>();

  /** Whether a statement of so many bytes is among them. To be asked once for each statement, in their order. */
  has(table: string, bytes: number): boolean {
    const seen = this.#seen.get(table) ?? 0;
    if (seen >= FIRST) return false;
    this.#seen.set(table, seen + bytes);
    return true;
  }
}
