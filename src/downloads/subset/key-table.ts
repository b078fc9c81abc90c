import { IntegerKeys } from './integer-keys.ts';
import type { KeyList } from './key-list.ts';

/** Reference to no row because it is NULL. */
export const NO_REFERENCE = -1;
/** Reference to a row that is not there. */
export const DANGLING = -2;

/** Which row has which key. The keys themselves stay in their list. */
export class KeyTable {
  /** Ordinals and 1, by key or by hash; 0 is empty. */
  readonly #slots: Int32Array;
  readonly #keys: KeyList;
  /** The key of the first slot where slots go by the key itself. */
  readonly #lowest: number | undefined;
  /** The first row whose key another row has too. */
  readonly duplicate: number | undefined;

  constructor(keys: KeyList) {
    this.#keys = keys;
    const range = denseRange(keys);
    this.#lowest = range?.lowest;
    this.#slots = new Int32Array(range?.slots ?? 2 ** Math.ceil(Math.log2(Math.max(16, keys.length * 1.6))));
    for (let at = 0; at < keys.length; at++) {
      if (keys.isNull(at)) continue;
      const slot = this.#slotOf(keys, at);
      if (this.#slots[slot] === 0) this.#slots[slot] = at + 1;
      else this.duplicate ??= at;
    }
  }

  /** The ordinal of the row that a reference leads to; `NO_REFERENCE`, `DANGLING`. */
  find(references: KeyList, at: number): number {
    if (references.isNull(at)) return NO_REFERENCE;
    const slot = this.#slotOf(references, at);
    const found = this.#slots[slot] ?? 0;
    return found === 0 ? DANGLING : found - 1;
  }

  /** Where the key is, or where it would be; -1 where it can be nowhere. */
  #slotOf(keys: KeyList, at: number): number {
    if (this.#lowest !== undefined) return keys instanceof IntegerKeys ? keys.valueAt(at) - this.#lowest : -1;
    const mask = this.#slots.length - 1;
    for (let slot = keys.hashOf(at) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0 || this.#keys.equals(found - 1, keys, at)) return slot;
    }
  }
}

/** Numbers that lie close together need no hash. */
function denseRange(keys: KeyList): { lowest: number; slots: number } | undefined {
  if (!(keys instanceof IntegerKeys)) return undefined;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < keys.length; at++) {
    const value = keys.valueAt(at);
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  const slots = highest - lowest + 1;
  return slots <= keys.length * 2 + 1024 ? { lowest, slots: Math.max(slots, 0) } : undefined;
}
