import type { RowFields } from '../content/table-content.ts';
import { IntegerKeys } from './integer-keys.ts';
import type { KeyList } from './key-list.ts';

/** Keys of several columns that are all integers. */
export class IntegerTuples implements KeyList {
  readonly #parts: readonly IntegerKeys[];

  constructor(columns: number) {
    this.#parts = Array.from({ length: columns }, () => new IntegerKeys());
  }

  get length(): number {
    return this.#parts[0]?.length ?? 0;
  }

  /** @param key null: a key that is none; others are pushed by their fields */
  push(key: null): void {
    for (const part of this.#parts) part.push(key);
  }

  /** @param positions of the columns' fields, in the order of the key */
  pushFields(fields: RowFields, positions: readonly number[]): void {
    for (const [at, part] of this.#parts.entries()) part.pushField(fields, positions[at] ?? -1);
  }

  /** As with MATCH SIMPLE: a key is NULL where one of its parts is. */
  isNull(at: number): boolean {
    return this.#parts.some((part) => part.isNull(at));
  }

  hashOf(at: number): number {
    let hashed = 0;
    for (const part of this.#parts) hashed = Math.imul(hashed, 0x01000193) ^ part.hashOf(at);
    return hashed >>> 0;
  }

  free(): void {
    for (const part of this.#parts) part.free();
  }

  equals(at: number, other: KeyList, otherAt: number): boolean {
    if (!(other instanceof IntegerTuples)) return false;
    for (const [index, part] of this.#parts.entries()) {
      const otherPart = other.#parts[index];
      if (otherPart === undefined || !part.equals(at, otherPart, otherAt)) return false;
    }
    return true;
  }
}
