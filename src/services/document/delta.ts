import { isExactNumber, type JsonArray, type JsonObject, type JsonValue } from '../../core/json-value.ts';
import { appendStep } from './key-path.ts';

/** What turns one document into another, and back: old values are kept. Keys are those of `formatKeyPath`. */
export type DocumentDelta = {
  changes: { key: string; oldValue: JsonValue; newValue: JsonValue }[];
  additions: { key: string; value: JsonValue }[];
  /** An array's elements in ascending order, although they are taken off its end. */
  deletions: { key: string; oldValue: JsonValue }[];
};

/**
 * Compares two documents.
 *
 * Objects are compared member by member and arrays index by index, at every depth, with two exceptions below the root:
 *
 * - A *record*, an object whose members are all scalars before and after, is one change as a whole while its old and new
 *   text together take about 256 bytes or less: such a change is easier to read and hardly longer.
 * - Anything whose edits would take more room than its whole old and new value is one change, too.
 *
 * Room is estimated from the lengths of names and strings. Every value is visited once: time grows with the documents'
 * sizes, and the order of members does not matter for the result. An element inserted into an array moves all after it and
 * is as good as a change of each: such a delta may be larger than the document.
 *
 * The delta holds parts of both documents, not copies.
 */
export function computeDelta(base: JsonValue, current: JsonValue): DocumentDelta {
  const comparison = new Comparison();
  comparison.compare(base, current);
  return comparison.delta();
}

/** Bytes of a record's old and new text, up to which it is replaced as a whole. */
const SMALL_RECORD = 256;
/** Bytes of `{"key":"","newValue":,"oldValue":},` and its like. */
const CHANGE_FRAME = 35;
const ADDITION_FRAME = 20;
const DELETION_FRAME = 23;
/** What a number is taken to be long. */
const NUMBER_LENGTH = 6;

type Edit =
  | { kind: 'change'; key: string; oldValue: JsonValue; newValue: JsonValue }
  | { kind: 'addition'; key: string; value: JsonValue }
  | { kind: 'deletion'; key: string; oldValue: JsonValue };

class Comparison {
  /** From the root to what is being compared. */
  readonly #steps: (string | number)[] = [];
  /** `#keys[n]` is the text of the first n steps, once somebody asked. They share their beginnings, however deep. */
  readonly #keys: (string | undefined)[] = [''];
  readonly #edits: Edit[] = [];
  /** Estimated length of all edits. */
  #room = 0;

  /** @returns the estimated lengths of both values' texts, added */
  compare(base: JsonValue, current: JsonValue): number {
    if (isScalar(base) || isScalar(current)) return this.#compareScalars(base, current);
    if (Array.isArray(base) && Array.isArray(current)) return this.#compareArrays(base, current);
    if (Array.isArray(base) || Array.isArray(current)) return this.#change(base, current);
    return this.#compareObjects(base, current);
  }

  delta(): DocumentDelta {
    const delta: DocumentDelta = { changes: [], additions: [], deletions: [] };
    for (const { kind, ...edit } of this.#edits) {
      if (kind === 'change') delta.changes.push(edit as DocumentDelta['changes'][number]);
      else if (kind === 'addition') delta.additions.push(edit as DocumentDelta['additions'][number]);
      else delta.deletions.push(edit as DocumentDelta['deletions'][number]);
    }
    return delta;
  }

  #compareAt(step: string | number, base: JsonValue, current: JsonValue): number {
    this.#steps.push(step);
    this.#keys.push(undefined);
    const length = this.compare(base, current);
    this.#steps.pop();
    this.#keys.pop();
    return length;
  }

  /** The key of what is being compared. */
  #key(): string {
    let known = this.#steps.length;
    while (this.#keys[known] === undefined) known--;
    let key = this.#keys[known] as string;
    for (let depth = known; depth < this.#steps.length; depth++) {
      key = appendStep(key, this.#steps[depth] as string | number);
      this.#keys[depth + 1] = key;
    }
    return key;
  }

  #compareScalars(base: JsonValue, current: JsonValue): number {
    const same =
      base === current || (isExactNumber(base) && isExactNumber(current) && base.rawJSON === current.rawJSON);
    return same ? 2 * textLength(base) : this.#change(base, current);
  }

  #compareArrays(base: JsonArray, current: JsonArray): number {
    const mark = this.#mark();
    const common = Math.min(base.length, current.length);
    let length = 4 + base.length + current.length;
    for (let index = 0; index < common; index++) {
      length += this.#compareAt(index, base[index] as JsonValue, current[index] as JsonValue);
    }
    for (let index = common; index < base.length; index++) length += this.#deletion(index, base[index] as JsonValue);
    for (let index = common; index < current.length; index++) {
      length += this.#addition(index, current[index] as JsonValue);
    }
    this.#replaceIfShorter(mark, base, current, length);
    return length;
  }

  #compareObjects(base: JsonObject, current: JsonObject): number {
    const mark = this.#mark();
    const names = Object.keys(base);
    let length = 4;
    let common = 0;
    for (const name of names) {
      const value = base[name] as JsonValue;
      length += name.length + 4;
      if (!Object.hasOwn(current, name)) {
        length += this.#deletion(name, value);
      } else {
        common++;
        length += name.length + 4 + this.#compareAt(name, value, current[name] as JsonValue);
      }
    }
    if (Object.keys(current).length > common) length += this.#additions(base, current);
    if (this.#edits.length === mark.edits) return length;
    if (this.#steps.length > 0 && length <= SMALL_RECORD && isRecord(base) && isRecord(current)) {
      this.#replace(mark, base, current, length);
    } else {
      this.#replaceIfShorter(mark, base, current, length);
    }
    return length;
  }

  #additions(base: JsonObject, current: JsonObject): number {
    let length = 0;
    const added = Object.keys(current).filter((name) => !Object.hasOwn(base, name));
    for (const name of added.sort()) length += name.length + 4 + this.#addition(name, current[name] as JsonValue);
    return length;
  }

  #change(oldValue: JsonValue, newValue: JsonValue): number {
    const length = textLength(oldValue) + textLength(newValue);
    const key = this.#key();
    this.#push({ kind: 'change', key, oldValue, newValue }, CHANGE_FRAME + length);
    return length;
  }

  #addition(step: string | number, value: JsonValue): number {
    const length = textLength(value);
    this.#push({ kind: 'addition', key: appendStep(this.#key(), step), value }, ADDITION_FRAME + length);
    return length;
  }

  #deletion(step: string | number, oldValue: JsonValue): number {
    const length = textLength(oldValue);
    this.#push({ kind: 'deletion', key: appendStep(this.#key(), step), oldValue }, DELETION_FRAME + length);
    return length;
  }

  #push(edit: Edit, room: number): void {
    this.#edits.push(edit);
    this.#room += room + edit.key.length;
  }

  #mark(): { edits: number; room: number } {
    return { edits: this.#edits.length, room: this.#room };
  }

  #replaceIfShorter(mark: { edits: number; room: number }, base: JsonValue, current: JsonValue, length: number): void {
    if (this.#edits.length === mark.edits || this.#steps.length === 0) return;
    const whole = CHANGE_FRAME + this.#key().length + length;
    if (this.#room - mark.room > whole) this.#replace(mark, base, current, length);
  }

  #replace(mark: { edits: number; room: number }, oldValue: JsonValue, newValue: JsonValue, length: number): void {
    this.#edits.length = mark.edits;
    this.#room = mark.room;
    this.#push({ kind: 'change', key: this.#key(), oldValue, newValue }, CHANGE_FRAME + length);
  }
}

type Scalar = Exclude<JsonValue, JsonArray | JsonObject>;

function isScalar(value: JsonValue): value is Scalar {
  return typeof value !== 'object' || value === null || isExactNumber(value);
}

function isRecord(object: JsonObject): boolean {
  return Object.keys(object).every((name) => isScalar(object[name] as JsonValue));
}

/** Estimates how long a value's text is. */
function textLength(value: JsonValue): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value === 'number') return NUMBER_LENGTH;
  if (value === null || typeof value === 'boolean') return 4;
  if (isExactNumber(value)) return value.rawJSON.length;
  let length = 2;
  if (Array.isArray(value)) {
    for (const item of value) length += 1 + textLength(item);
  } else {
    for (const name of Object.keys(value)) length += name.length + 4 + textLength(value[name] as JsonValue);
  }
  return length;
}
